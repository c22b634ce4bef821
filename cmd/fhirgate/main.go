// Command fhirgate serves HL7 FHIR R4.
package main

func main() {}
