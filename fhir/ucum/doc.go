// Package ucum reads units of the Unified Code for Units of Measure (UCUM, case sensitive) and converts quantities to canonical units, so that 1 g, 1000 mg
// and 0.001 kg are one value. FHIRPath compares quantities with it, and search indexes them by it.
//
// # Design
//
// A unit is a factor times a product of powers of base units. UCUM's seven base units are m, s, g, rad, K, C and cd; a unit that has no relation to them
// (arbitrary units such as [iU], logarithmic ones such as [pH]) is a base unit of its own. A unit is parsed once and kept in a bounded cache. The table in
// units.go states each unit by UCUM's definition of it, which the same parser reads.
//
// Decisions are in DECISIONS.md.
package ucum
