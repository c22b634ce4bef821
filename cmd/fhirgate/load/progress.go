package load

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress shows how far a run is: a bar on a terminal, a line now and then elsewhere.
type progress struct {
	w     io.Writer
	tally *tally
	// total is the size of all inputs; 0 where it is not known.
	total int64
	files int
	start time.Time
	bar   *progressbar.ProgressBar
	stop  chan struct{}
	done  chan struct{}
}

// startProgress begins to show; end stops it.
func startProgress(o *Options, t *tally, inputs []*input) *progress {
	p := &progress{w: o.Progress, tally: t, files: len(inputs), start: time.Now(), stop: make(chan struct{}), done: make(chan struct{})}
	for _, f := range inputs {
		if f.path == stdinName {
			p.total = 0
			break
		}
		p.total += f.size
	}
	interval := o.Interval
	if o.Terminal {
		interval = 200 * time.Millisecond
		size := p.total
		if size == 0 {
			size = -1
		}
		p.bar = progressbar.NewOptions64(size, progressbar.OptionSetWriter(o.Progress), progressbar.OptionShowBytes(true),
			progressbar.OptionUseIECUnits(true), progressbar.OptionSetWidth(24), progressbar.OptionSetPredictTime(true),
			progressbar.OptionSetElapsedTime(true), progressbar.OptionClearOnFinish())
	}
	go p.run(interval)
	return p
}

// run shows the state at every interval until end.
func (p *progress) run(interval time.Duration) {
	defer close(p.done)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			p.show(time.Now())
		}
	}
}

// show writes the state once.
func (p *progress) show(now time.Time) {
	elapsed := max(now.Sub(p.start).Seconds(), 0.001)
	n, read := p.tally.resources.Load(), p.tally.read.Load()
	text := fmt.Sprintf("%s resources, %s/s", grouped(n), grouped(int64(float64(n)/elapsed)))
	if failed := p.tally.failed.Load(); failed > 0 {
		text += fmt.Sprintf(", %s failed", grouped(failed))
	}
	if p.bar != nil {
		p.bar.Describe(text)
		if p.total > 0 {
			// The bar stays below its end until the last response is there.
			read = min(read, p.total-1)
		}
		_ = p.bar.Set64(read)
		return
	}
	text += fmt.Sprintf(", %s of %s", grouped(p.tally.files.Load()), plural(p.files, "file"))
	if p.total > 0 && read > 0 {
		if part := float64(read) / float64(p.total); part < 1 {
			text += fmt.Sprintf(", %.0f %%, %s left", min(part*100, 99), time.Duration(elapsed*(1-part)/part*float64(time.Second)).Round(time.Second))
		} else {
			text += ", waiting for the last responses"
		}
	}
	fmt.Fprintln(p.w, text)
}

// note writes a line beside the display.
func (p *progress) note(text string) {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	fmt.Fprintln(p.w, text)
}

// end stops the display; a bar is wiped away.
func (p *progress) end() {
	close(p.stop)
	<-p.done
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}
