package load

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"
)

// input is one of the files that a run was given, with how much of it went in. The counts are of resources.
type input struct {
	file
	// read is set when the file was read to its end.
	read atomic.Bool
	// cutOff is set when it was found to end inside of a value or a compressed stream.
	cutOff atomic.Bool
	// waiting is what was read and whose outcome is not known yet, loaded what is stored, failed what is not.
	waiting, loaded, failed atomic.Int64
}

// state is how much of an input went in.
type state int

const (
	notLoaded state = iota
	partlyLoaded
	wholeLoaded
)

// state returns how much of the input went in. It is called when no request is under way.
func (in *input) state() state {
	switch {
	case in.read.Load() && in.waiting.Load() == 0 && in.failed.Load() == 0:
		return wholeLoaded
	case in.loaded.Load() > 0:
		return partlyLoaded
	}
	return notLoaded
}

// Files says which files of a run that ended early, or with failures, went in. The names are in the order of the run.
type Files struct {
	Whole, Partly, Not []string
	// Leading counts the files before the first that is not whole.
	Leading int
	// CutOff are files that end inside of a value, and Changed those that are not what they were when the run began.
	CutOff, Changed []string
}

// filesOf sorts inputs by their state.
func filesOf(inputs []*input) Files {
	var f Files
	for i, in := range inputs {
		switch {
		case in.changed():
			f.Changed = append(f.Changed, in.name())
		case in.cutOff.Load():
			f.CutOff = append(f.CutOff, in.name())
		}
		switch in.state() {
		case wholeLoaded:
			f.Whole = append(f.Whole, in.name())
			if f.Leading == i {
				f.Leading++
			}
		case partlyLoaded:
			f.Partly = append(f.Partly, in.name())
		default:
			f.Not = append(f.Not, in.name())
		}
	}
	return f
}

// write prints which files went in. The files that are whole are named by the last of them, since files are read in order, and one by one
// after the first that is not.
func (f *Files) write(w io.Writer) {
	line := func(n int, what, names string) {
		if n > 0 {
			fmt.Fprintf(w, "%10s  %s: %s\n", grouped(int64(n)), what, names)
		}
	}
	fmt.Fprint(w, "\nFiles\n")
	whole := listed(f.Whole)
	if f.Leading > maxListed {
		whole = "all up to " + f.Whole[f.Leading-1]
		if rest := f.Whole[f.Leading:]; len(rest) > 0 {
			whole += ", and " + listed(rest)
		}
	}
	line(len(f.Whole), "loaded", whole)
	line(len(f.Partly), "loaded in part", listed(f.Partly))
	line(len(f.Not), "not loaded", listed(f.Not))
}

// writeFaulty prints which files are not what a run that goes on should read.
func (f *Files) writeFaulty(w io.Writer) {
	if len(f.CutOff) > 0 {
		fmt.Fprintf(w, "\nCut off: %s. Get the whole file first.\n", listed(f.CutOff))
	}
	if len(f.Changed) > 0 {
		fmt.Fprintf(w, "\nChanged or removed since the load began: %s. What is loaded of it stays, and what differs is loaded as well.\n", listed(f.Changed))
	}
}

// maxListed is how many names a line of the summary has.
const maxListed = 10

// listed joins the first of some names.
func listed(names []string) string {
	if len(names) > maxListed {
		return strings.Join(names[:maxListed], ", ") + " and " + grouped(int64(len(names)-maxListed)) + " more"
	}
	return strings.Join(names, ", ")
}
