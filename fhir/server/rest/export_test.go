package rest

import "time"

// SetDrainTime sets how long a server reads on what a refused request still sends.
func SetDrainTime(c *Config, d time.Duration) { c.drainTime = d }
