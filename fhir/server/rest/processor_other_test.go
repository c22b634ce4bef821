//go:build !unix

package rest_test

import "time"

var begun = time.Now()

// processorTime returns the time that has passed, where that of processors is not known.
func processorTime() time.Duration { return time.Since(begun) }
