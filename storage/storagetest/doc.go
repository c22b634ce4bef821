// Package storagetest is the conformance suite that every engine runs: nothing in it is optional, and nothing in it knows an engine.
//
// # Design
//
// Run tests the sentences of the contract in package storage one by one, and then drives the engine with random work: versions and queries
// over a small world of values in which everything collides. What the engine answers is compared with Model, which keeps records in maps
// and finds with search.Match over all of them. RunPair drives two engines with the same work. Population is a
// larger world, of resources as they are, that engines test their plans and measure themselves with.
package storagetest
