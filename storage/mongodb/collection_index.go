package mongodb

import (
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// The indexes of a collection of current versions. Which are made when, doc.go says.

// pairLasts returns the parameters whose entries follow the pairs of a type, sorted.
func pairLasts(typ string) []string {
	var out []string
	for _, c := range search.Compounds(typ) {
		if _, last := lead(c); !slices.Contains(out, last) {
			out = append(out, last)
		}
	}
	slices.Sort(out)
	return out
}

// Names of indexes, by which a plan asks for one.
const (
	indexTerms  = "terms"
	indexRanges = "ranges"
)

// orderPrefix begins the names of indexes that order by a parameter.
const orderPrefix = "order "

func indexPairs(last, order string) string { return "pairs " + last + " by " + order }
func indexOrder(param string) string       { return orderPrefix + param }

// lastUpdated is the parameter that every resource is ordered by from the start.
const lastUpdated = "_lastUpdated"

// ucum ends the name under which quantities are in canonical units.
const ucum = ":ucum"

// pairOrders returns the parameters by which the pairs of last are ordered: itself and, for a quantity, its canonical form.
func pairOrders(last string) []string {
	if strings.HasSuffix(last, "quantity") {
		return []string{last, last + ucum}
	}
	return []string{last}
}

// indexes returns the indexes of a type's current versions. _id is last in each, for pages.
func indexes(typ string) []mongo.IndexModel {
	out := []mongo.IndexModel{
		{Keys: bson.D{{Key: pathTerms, Value: 1}, {Key: fieldID, Value: 1}}, Options: options.Index().SetName(indexTerms)},
		{Keys: bson.D{{Key: pathRanges + "." + memberParam, Value: 1}, {Key: pathRanges + "." + memberWidth, Value: 1},
			{Key: pathRanges + "." + memberLo, Value: 1}, {Key: fieldID, Value: 1}}, Options: options.Index().SetName(indexRanges)},
		{Keys: bson.D{{Key: fieldUpdated, Value: -1}, {Key: fieldID, Value: 1}}, Options: options.Index().SetName("history")},
		orderIndex(lastUpdated),
	}
	for _, last := range pairLasts(typ) {
		out = append(out, orderIndex(last))
		for _, order := range pairOrders(last) {
			out = append(out, mongo.IndexModel{
				Keys: append(bson.D{{Key: pathPairs + keyName(last), Value: 1}}, orderKeys(order)...),
				Options: options.Index().SetName(indexPairs(last, order)).
					SetPartialFilterExpression(bson.D{{Key: pathPairs + keyName(last), Value: bson.D{{Key: "$exists", Value: true}}}}),
			})
		}
	}
	return out
}

// orderKeys are the members of an index that orders by a parameter.
func orderKeys(param string) bson.D {
	p := pathSort + keyName(param) + "."
	return bson.D{{Key: p + memberWidth, Value: 1}, {Key: p + memberLeast, Value: 1}, {Key: fieldID, Value: 1}}
}

func orderIndex(param string) mongo.IndexModel {
	return mongo.IndexModel{Keys: orderKeys(param), Options: options.Index().SetName(indexOrder(param))}
}
