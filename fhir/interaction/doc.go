// Package interaction performs FHIR's interactions with no HTTP: read, vread, create, update, delete, history, search, batch, transaction.
package interaction
