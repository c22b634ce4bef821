// Package embedded is the storage engine for one machine: a folder with a Pebble database in it.
package embedded
