// Package graphql answers GraphQL queries on resources (http://hl7.org/fhir/R4/graphql.html): $graphql at the level of the system and of a
// resource.
//
// # Design
//
// A query is parsed, checked against the definitions, and executed over the trees of resources. There is no second model of the types: a field
// is a JSON member of its type, and a selection that no type can have is an error before anything is read. The schema that introspection
// tells is made from the same definitions, when it is first asked for.
//
// What is read from the store comes through Source, so that a query sees what a read and a search by the same client would. Resources that
// references name are read once a query.
//
// Limits bound the text, the depth, the fields that fragments unfold to, what is read from the store, and the result: each by number and by bytes. A
// list of several pages goes into the result page by page, so that one page is in memory at a time.
package graphql
