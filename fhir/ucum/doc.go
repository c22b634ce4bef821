// Package ucum reads units of the Unified Code for Units of Measure (UCUM, case sensitive) and brings quantities to canonical units, so that
// 1 g, 1000 mg and 0.001 kg are one value. FHIRPath compares quantities with it, and search indexes them by it.
//
// # Design
//
// A unit is a factor times a product of powers of base units. The seven base units of UCUM are m, s, g, rad, K, C and cd; whatever has no
// relation to them (arbitrary units as [iU], and logarithmic ones as [pH]) is a base unit of its own. A unit is parsed once and kept in a
// bounded cache. The table in units.go states each unit by UCUM's own definition of it, which is read by the same parser.
//
// # Decisions
//
//  1. Factors are fractions of decimals (2026-11-23). Context: binary floating point makes 0.1 mg and 100 ug differ. Choice: a numerator and a
//     denominator, both exact; a value is multiplied by one and divided by the other once. Consequence: where the quotient ends within 28
//     digits the canonical value is exact, else it is rounded there, the same for every way to write the unit.
//  2. A mole is a number (2026-11-23). Context: UCUM defines mol as 6.0221367e23 and not as a base unit. Choice: as UCUM does. Consequence:
//     mmol/L compares with counts a volume, as UCUM says, and not with mg/dL, which would need the substance.
//  3. Temperature (2026-11-23). Context: Cel and [degF] have their zero elsewhere. Choice: converted by function where they stand alone;
//     within a product, as Cel/min, they are differences. Consequence: 37 Cel is 310.15 K.
package ucum
