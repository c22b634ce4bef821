// Package xml is the XML format of resources (http://hl7.org/fhir/R4/xml.html): JSON to XML and back, as the definitions say.
//
// # Design
//
// Format makes a plan of each type once: its elements in their order, and for each JSON name whether it repeats, is an attribute, and what it
// holds. Both directions walk these plans; there is no code for any type.
//
// The reader is streaming. Its scanner holds a chunk of the document, or one tag if that is larger, and the reader writes JSON as it goes: the
// order of elements in XML puts the items of a list next to each other. Only the "_" siblings of a list of primitives wait until the list
// ends. What comes out is parsed like any JSON, so validation, limits and storage know nothing of XML. Decimals keep their digits, narratives
// are copied character by character, comments outside of narratives are dropped.
//
// The writer reads the JSON once and writes elements as their members come, without a tree. The order of the elements is that of the definitions:
// where members have another order, the pieces of the output change places at the end of their object. What XML cannot hold or the definitions do
// not know is an error that names the element.
//
// The scanner accepts no document type, no processing instruction and no entity but the five of XML. Nothing outside the document is read,
// and nothing in it expands.
package xml
