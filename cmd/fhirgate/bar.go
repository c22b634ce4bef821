package main

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// bar shows how far a long command is: a bar on a terminal, a line every five seconds elsewhere.
type bar struct {
	out   io.Writer
	bytes bool // what is counted are bytes
	step  string
	drawn *progressbar.ProgressBar
	last  time.Time
}

func newBar(out io.Writer, bytes bool) *bar { return &bar{out: out, bytes: bytes, last: time.Now()} }

// show tells that done of total are through a step.
func (b *bar) show(step string, done, total int64) {
	if step != b.step {
		b.end()
		b.step = step
	}
	if !isTerminal(b.out) {
		if time.Since(b.last) < 5*time.Second || total == 0 {
			return
		}
		b.last = time.Now()
		if b.bytes {
			fmt.Fprintf(b.out, "%s: %d of %d MB\n", step, done>>20, total>>20)
		} else {
			fmt.Fprintf(b.out, "%s: %d %%\n", step, done*100/total)
		}
		return
	}
	if b.drawn == nil {
		options := []progressbar.Option{progressbar.OptionSetWriter(b.out), progressbar.OptionSetWidth(24), progressbar.OptionSetDescription(step),
			progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(200 * time.Millisecond), progressbar.OptionClearOnFinish()}
		if b.bytes {
			options = append(options, progressbar.OptionShowBytes(true))
		}
		b.drawn = progressbar.NewOptions64(max(total, 1), options...)
	}
	_ = b.drawn.Set64(min(done, total))
}

// end wipes the bar away.
func (b *bar) end() {
	if b.drawn != nil {
		_ = b.drawn.Clear()
		b.drawn = nil
	}
}
