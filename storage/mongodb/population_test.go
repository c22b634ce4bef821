package mongodb_test

import "github.com/fhirgate/fhirgate/storage/storagetest"

// population is the world that plans and benchmarks of all engines are made with.
type population = storagetest.Population

// What tests of this package call what a population is made of.
var (
	newPopulation = storagetest.NewPopulation
	putAll        = storagetest.PutAll
	tok           = storagetest.Token
	str           = storagetest.String
	ref           = storagetest.Reference
	date          = storagetest.Date
	stamp         = storagetest.Stamp
	quantity      = storagetest.Quantity
)

// The systems of a population's codes.
const (
	loinc  = storagetest.LOINC
	snomed = storagetest.SNOMED
	ucum   = storagetest.UCUM
)
