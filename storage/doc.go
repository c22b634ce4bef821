// Package storage is the contract of an engine: what is stored, read and found, and what every engine promises.
package storage
