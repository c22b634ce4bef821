package rest

import "time"

// SetDrainTime sets how long a server reads on what a refused request still sends.
func SetDrainTime(c *Config, d time.Duration) { c.drainTime = d }

// SetStallTimes sets how long a large body may make no progress, and how long while others need its share.
func SetStallTimes(c *Config, stall, grace time.Duration) { c.stallTime, c.stallGrace = stall, grace }

// Held returns the bytes that large bodies take together.
func Held(h *Handler) int64 {
	h.uploads.mu.Lock()
	defer h.uploads.mu.Unlock()
	return h.uploads.held
}
