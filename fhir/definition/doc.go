// Package definition holds the R4 (4.0.1) definitions as an immutable registry.
package definition
