// Package ips makes International Patient Summaries (http://hl7.org/fhir/uv/ips, 2.0.0) from what a server holds of a patient.
//
// sections.json says which sections a summary has, by which searches each is filled and what its narrative shows. [Make] does the searches through a
// [Source] and writes the document: a Composition, the patient, what the sections list and what that refers to.
//
// Decisions are in DECISIONS.md.
package ips
