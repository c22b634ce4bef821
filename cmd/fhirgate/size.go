package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// size is a flag's value: a number of bytes, written as 67108864, 64MiB, 64M or 64MB; all units are powers of 1,024.
type size int64

// units are the endings that a size may have.
var units = []struct {
	name  string
	bytes int64
}{{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"kb", 1 << 10}, {"mb", 1 << 20}, {"gb", 1 << 30}, {"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"b", 1}}

// Set implements pflag.Value.
func (s *size) Set(text string) error {
	number, unit := strings.ToLower(strings.TrimSpace(text)), int64(1)
	for _, u := range units {
		if n, ok := strings.CutSuffix(number, u.name); ok {
			number, unit = strings.TrimSpace(n), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/unit {
		return fmt.Errorf("it must be a number with a unit, for example 64MiB")
	}
	*s = size(n * unit)
	return nil
}

// String implements pflag.Value.
func (s *size) String() string {
	for _, u := range []struct {
		name  string
		bytes size
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if *s > 0 && *s%u.bytes == 0 {
			return strconv.FormatInt(int64(*s/u.bytes), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(*s), 10)
}

// Type implements pflag.Value.
func (s *size) Type() string { return "size" }

// choice is a flag's value out of a few words.
type choice struct {
	value string
	words []string
}

// Set implements pflag.Value.
func (c *choice) Set(text string) error {
	for _, w := range c.words {
		if text == w {
			c.value = text
			return nil
		}
	}
	return fmt.Errorf("it must be one of %s", strings.Join(c.words, ", "))
}

// String implements pflag.Value.
func (c *choice) String() string { return c.value }

// Type implements pflag.Value.
func (c *choice) Type() string { return strings.Join(c.words, "|") }
