// Package search says what a FHIR search means: it turns resources into index entries and URLs into queries, above any engine.
package search
