// Package storagetest is the conformance suite that every engine runs: nothing in it is optional, and nothing in it knows an engine.
//
// # Design
//
// Run tests the sentences of the contract in package storage one by one, and then drives the engine with random work: versions and queries
// over a small world of values in which everything collides. What the engine answers is compared with Model, which keeps records in maps
// and finds with search.Match over all of them. RunPair drives two engines with the same work. Population is a
// larger world, of resources as they are, that engines test their plans and measure themselves with.
//
// # Decisions
//
// 1. The oracle is search.Match over everything (2026-11-23). Context: an engine's planner has many ways to the same answer, and each can be
// wrong for few inputs. Choice: no expectations written by hand for queries; a generator of entries, conditions, orders and pages, and a
// model too simple to be wrong. Consequence: a failure prints its seed and the line that runs it again, and the query; the seed that failed
// is added to the list that is always run.
//
// 2. Types are taken from the definitions by what they have, not by name (2026-11-23). Context: engines index some parameters jointly
// (search.Compounds), which must be tested, and no package but a few may name resource types. Choice: the random world uses the first types with
// the longest lists of compounds. Consequence: a change of the compounds changes what is tested, by itself.
package storagetest
