package fhir

// IssueID is the id of a rule that an Issue reports; it is rendered as OperationOutcome.issue.details.coding.code. Clients may program against it: an id
// keeps its meaning over releases. All ids are the constants of this file, and each situation has one, whichever package reports it. ISSUES.md lists
// them for readers; it is made from the sentences here (go test ./fhir -run IssueIDs -update).
type IssueID string

// Any request.
const (
	IDOK                 IssueID = "ok"                   // The interaction succeeded; there is nothing more to report.
	IDInternal           IssueID = "internal"             // The server failed because of a defect or an error it cannot explain; the log has the cause under the reference given.
	IDFailed             IssueID = "failed"               // The request was refused, and the server has no more exact reason.
	IDUnavailable        IssueID = "unavailable"          // The server cannot serve the request at the moment; retry.
	IDBusy               IssueID = "busy"                 // Too many large bodies are being read at once; retry later.
	IDNotReady           IssueID = "not-ready"            // The server is starting, or its database cannot be reached.
	IDTimeout            IssueID = "timeout"              // The request took longer than the server allows.
	IDIssuesTruncated    IssueID = "issues-truncated"     // There are more faults than are listed.
	IDNotFound           IssueID = "not-found"            // The resource, or the version asked for, does not exist.
	IDDeleted            IssueID = "deleted"              // The resource is deleted; its history still has its versions.
	IDConflict           IssueID = "conflict"             // Another write to the same resource or condition came first; retry.
	IDUnknownPath        IssueID = "unknown-path"         // Nothing is served at this path.
	IDUnknownType        IssueID = "unknown-type"         // R4 has no resource type of this name.
	IDUnknownOperation   IssueID = "unknown-operation"    // No operation of this name is served here.
	IDUnknownCompartment IssueID = "unknown-compartment"  // There is no compartment of this type.
	IDNotInCompartment   IssueID = "not-in-compartment"   // Resources of this type are in no such compartment.
	IDMethodNotAllowed   IssueID = "method-not-allowed"   // The path is served, but not with this method.
	IDDefinitionReadOnly IssueID = "definition-read-only" // A definition of R4, which the server shows, cannot be patched or deleted.
	IDInvalidID          IssueID = "invalid-id"           // A logical id is not 1 to 64 letters, digits, dashes and dots.
	IDURLTooLong         IssueID = "url-too-long"         // The URL is longer than the server reads.
	IDHost               IssueID = "host"                 // The Host header is not a host name with an optional port.
	IDForwarded          IssueID = "forwarded"            // The proxy's Forwarded or X-Forwarded headers name no http or https address.
	IDForeignHost        IssueID = "foreign-host"         // Without authorization, a request for another host name than this machine's is refused: a web page may have sent it.
	IDForeignOrigin      IssueID = "foreign-origin"       // Without authorization, a web page of an origin that is not allowed may not write.
)

// Bodies and formats.
const (
	IDBodyMissing          IssueID = "body-missing"           // The interaction needs a body, and there is none.
	IDBodyIncomplete       IssueID = "body-incomplete"        // The body could not be read to its end.
	IDBodyTooLarge         IssueID = "body-too-large"         // The body is larger than the server reads.
	IDContentType          IssueID = "content-type"           // The body's Content-Type is not one that the interaction reads.
	IDContentTypeMissing   IssueID = "content-type-missing"   // A body was sent without a Content-Type.
	IDContentTypeParameter IssueID = "content-type-parameter" // The Content-Type names a character set or a FHIR version that is not read.
	IDContentEncoding      IssueID = "content-encoding"       // The body's Content-Encoding is not one that the server unpacks.
	IDNotAcceptable        IssueID = "not-acceptable"         // The server has no representation that Accept or _format allows.
	IDBundleExpected       IssueID = "bundle-expected"        // The base takes a Bundle.
	IDParametersExpected   IssueID = "parameters-expected"    // An operation takes a Parameters resource.
)

// JSON.
const (
	IDJSONSyntax       IssueID = "json-syntax"        // The text is not JSON.
	IDJSONUTF8         IssueID = "json-utf8"          // The text is not valid UTF-8, or an escape is half of a surrogate pair.
	IDJSONDuplicateKey IssueID = "json-duplicate-key" // An object has two members of one name.
	IDJSONTrailing     IssueID = "json-trailing"      // Something follows the JSON value.
	IDJSONDepth        IssueID = "json-depth"         // Objects and arrays are nested deeper than the server reads.
	IDJSONNodes        IssueID = "json-nodes"         // The document has more values than the server reads.
	IDJSONSize         IssueID = "json-size"          // The document is larger than 4 GiB.
)

// XML.
const (
	IDXMLSyntax          IssueID = "xml-syntax"          // The text is not well-formed XML.
	IDXMLUTF8            IssueID = "xml-utf8"            // The text is not valid UTF-8.
	IDXMLEncoding        IssueID = "xml-encoding"        // The document is in another encoding than UTF-8.
	IDXMLCharacter       IssueID = "xml-character"       // The text has a character that XML does not allow.
	IDXMLDoctype         IssueID = "xml-doctype"         // The document has a document type declaration.
	IDXMLEntity          IssueID = "xml-entity"          // An & begins none of the five entities of XML and no character reference.
	IDXMLInstruction     IssueID = "xml-instruction"     // The document has a processing instruction.
	IDXMLNamespace       IssueID = "xml-namespace"       // An element, attribute or prefix is not of the namespace that it must be of.
	IDXMLElement         IssueID = "xml-element"         // The definitions do not know the element, or it holds nothing or too much.
	IDXMLAttribute       IssueID = "xml-attribute"       // The element does not have this attribute.
	IDXMLOrder           IssueID = "xml-order"           // An element is out of order, or there more often than it may be.
	IDXMLText            IssueID = "xml-text"            // Text stands between elements.
	IDXMLNarrative       IssueID = "xml-narrative"       // The narrative is not one div of XHTML.
	IDXMLDepth           IssueID = "xml-depth"           // Elements are nested deeper than the server reads.
	IDXMLSize            IssueID = "xml-size"            // The document is larger than the server reads.
	IDXMLUnrepresentable IssueID = "xml-unrepresentable" // The resource has something that XML cannot hold, or that the definitions do not know; read it as JSON.
)

// Patches.
const (
	IDPatchMalformed  IssueID = "patch-malformed"  // The body is not a JSON Patch or FHIRPath Patch.
	IDPatchPath       IssueID = "patch-path"       // The path of an operation does not select what it must.
	IDPatchIndex      IssueID = "patch-index"      // An index is not one of the list.
	IDPatchTest       IssueID = "patch-test"       // A test of a JSON Patch failed.
	IDPatchRoot       IssueID = "patch-root"       // The operation would take the whole resource away.
	IDPatchMove       IssueID = "patch-move"       // A value would be moved into itself.
	IDPatchName       IssueID = "patch-name"       // The type has no element of the name that is added.
	IDPatchExists     IssueID = "patch-exists"     // The element that is added exists and does not repeat.
	IDPatchValue      IssueID = "patch-value"      // The value is not one that the element takes.
	IDPatchList       IssueID = "patch-list"       // The path of an insert or move does not select one whole list.
	IDPatchOperations IssueID = "patch-operations" // The patch has more operations than the server applies.
	IDPatchSize       IssueID = "patch-size"       // The patch copies more, or makes the resource larger, than the server allows.
	IDPatchDepth      IssueID = "patch-depth"      // The result would be nested deeper than the server allows.
	IDPatchCost       IssueID = "patch-cost"       // The operations together cost more than the server allows.
)

// GraphQL.
const (
	IDGraphQLSyntax    IssueID = "graphql-syntax"     // The text is not a GraphQL query.
	IDGraphQLOperation IssueID = "graphql-operation"  // The query has no operation that can be performed.
	IDGraphQLField     IssueID = "graphql-field"      // A selection is not one that its type has.
	IDGraphQLArgument  IssueID = "graphql-argument"   // An argument does not exist or has a value that it does not take.
	IDGraphQLVariable  IssueID = "graphql-variable"   // A variable is not declared, or its value is not of its type.
	IDGraphQLDirective IssueID = "graphql-directive"  // A directive does not exist or does not have these arguments.
	IDGraphQLSingleton IssueID = "graphql-singleton"  // A field that must have one value has several.
	IDGraphQLReference IssueID = "graphql-reference"  // A reference that the query follows cannot be resolved.
	IDGraphQLTooCostly IssueID = "graphql-too-costly" // The query costs more than the server allows.
)

// Preconditions.
const (
	IDETag               IssueID = "etag"                 // A header with entity tags cannot be read.
	IDIfMatch            IssueID = "if-match"             // The resource is not at the version that If-Match names.
	IDIfNoneMatch        IssueID = "if-none-match"        // The resource exists although If-None-Match says that it must not, or the header has a form that the interaction does not take.
	IDIfNoneExist        IssueID = "if-none-exist"        // The condition of a conditional create cannot be used.
	IDIfUnmodifiedSince  IssueID = "if-unmodified-since"  // If-Unmodified-Since is not served; use If-Match.
	IDMisplacedCondition IssueID = "misplaced-condition"  // The interaction has no such precondition.
	IDConditionalIfMatch IssueID = "conditional-if-match" // A conditional delete takes no If-Match.
	IDEmptyCondition     IssueID = "empty-condition"      // A conditional interaction has no search parameter as its condition.
	IDMultipleMatches    IssueID = "multiple-matches"     // A condition matches several resources where at most one may match.
	IDTooManyMatches     IssueID = "too-many-matches"     // A condition matches more resources than one request may delete.
)

// Parameters of a URL.
const (
	IDUnknownParameter     IssueID = "unknown-parameter"     // The parameter does not exist here.
	IDUnsupportedParameter IssueID = "unsupported-parameter" // The parameter exists in R4 and is not served here.
	IDUnknownModifier      IssueID = "unknown-modifier"      // The parameter has no such modifier.
	IDUnknownElement       IssueID = "unknown-element"       // There is no element of this name: in a resource, or in the value of _elements.
	IDUnknownValueSet      IssueID = "unknown-value-set"     // The value set is not known here, or cannot be expanded.
	IDUnknownHierarchy     IssueID = "unknown-hierarchy"     // The code system is not known here, or has no hierarchy.
	IDUnknownCode          IssueID = "unknown-code"          // A required binding of the element does not have this code.
	IDAmbiguousParameter   IssueID = "ambiguous-parameter"   // The parameter means something else for each of the types searched.
	IDMisplacedParameter   IssueID = "misplaced-parameter"   // The parameter does not belong to this interaction, where it would be taken for a condition.
	IDRepeatedParameter    IssueID = "repeated-parameter"    // The parameter may be given once.
	IDInvalidParameter     IssueID = "invalid-parameter"     // The parameter's value is not one that it takes.
	IDBadEncoding          IssueID = "bad-encoding"          // Part of the URL is not properly percent-encoded UTF-8.
	IDBadEscape            IssueID = "bad-escape"            // A backslash in a search value stands before a character that it does not escape.
	IDBadPrefix            IssueID = "bad-prefix"            // The prefix is not one of R4's, or not one for this type of parameter.
	IDBadDate              IssueID = "bad-date"              // The value is not a date.
	IDBadNumber            IssueID = "bad-number"            // The value is not a number.
	IDBadQuantity          IssueID = "bad-quantity"          // The value is not a quantity.
	IDBadToken             IssueID = "bad-token"             // The value is not a token.
	IDBadString            IssueID = "bad-string"            // The value has nothing that a string search compares.
	IDBadReference         IssueID = "bad-reference"         // The value is not a reference that the parameter can have.
	IDAmbiguousReference   IssueID = "ambiguous-reference"   // The id belongs to resources of several types; the value must name the type.
	IDBadURI               IssueID = "bad-uri"               // The value is not a URI that the modifier can compare.
	IDBadComposite         IssueID = "bad-composite"         // The value does not have the parameter's components.
	IDBadNear              IssueID = "bad-near"              // The value of near is not a position with a distance.
	IDBadList              IssueID = "bad-list"              // The value of _list is not ids of lists.
	IDBadText              IssueID = "bad-text"              // The value of _text or _content cannot be read.
	IDBadMissing           IssueID = "bad-missing"           // The value of :missing is neither true nor false.
	IDBadCount             IssueID = "bad-count"             // The value of _count is not a whole number of 0 or more.
	IDBadTotal             IssueID = "bad-total"             // The value of _total is not none, estimate or accurate.
	IDBadSummary           IssueID = "bad-summary"           // The value of _summary cannot be used.
	IDBadSort              IssueID = "bad-sort"              // A key of _sort cannot be sorted by.
	IDBadInclude           IssueID = "bad-include"           // The value of _include or _revinclude cannot be followed.
	IDBadChain             IssueID = "bad-chain"             // The parameters of a chain or of _has do not connect the types.
	IDBadFilter            IssueID = "bad-filter"            // The value of _filter cannot be read, or asks what the parameter cannot be asked.
	IDVersionNotFollowed   IssueID = "version-not-followed"  // A warning: a chain was decided by the current version of a resource that a reference names a version of.
	IDBadContained         IssueID = "bad-contained"         // The value of _contained or _containedType is not one of R4, or cannot be combined with the rest of the search.
	IDBadCursor            IssueID = "bad-cursor"            // A link to a page is not one that this server made, or has expired.
	IDEmptyValue           IssueID = "empty-value"           // A value, or a part of one, is empty.
	IDSearchTooCostly      IssueID = "search-too-costly"     // The search has more parts than the server accepts.
	IDTooManyIncludes      IssueID = "too-many-includes"     // The search includes more resources than one page may hold.
	IDTooMuchRead          IssueID = "too-much-read"         // A Bundle's entries read more than one request may.
	IDPagesChanged         IssueID = "pages-changed"         // So much was updated since the first page that a later one may show a resource again, or miss it.
	IDParameterIndexing    IssueID = "parameter-indexing"    // The index of a SearchParameter is being built; what it finds is incomplete.
)

// Plans of searches.
const (
	IDPlanStep      IssueID = "plan-step"      // A step of the plan of a search.
	IDPlanUnindexed IssueID = "plan-unindexed" // A condition that no index serves.
	IDPlanCost      IssueID = "plan-cost"      // What running the search read.
)

// Bundles.
const (
	IDBundleType           IssueID = "bundle-type"           // A Bundle sent to the base is not of type batch or transaction.
	IDBundleStored         IssueID = "bundle-stored"         // A batch or transaction was stored as a resource; sent to the base it would be performed.
	IDBundleEntry          IssueID = "bundle-entry"          // Bundle.entry is not an array.
	IDBundleEntries        IssueID = "bundle-entries"        // The Bundle has more entries than the server accepts.
	IDBundleRule           IssueID = "bundle-rule"           // A Bundle that is a document or a message does not begin as one, or lacks what one has.
	IDEntryRequest         IssueID = "entry-request"         // An entry of a batch or transaction has no request.
	IDEntryMethod          IssueID = "entry-method"          // The method of an entry's request is missing or unknown.
	IDEntryURL             IssueID = "entry-url"             // The URL of an entry's request is missing, or is not one of this server.
	IDEntryFullURL         IssueID = "entry-fullurl"         // The fullUrl of an entry is not absolute, or contradicts the resource.
	IDEntryCondition       IssueID = "entry-condition"       // The ifModifiedSince of an entry is not an instant.
	IDEntryOperation       IssueID = "entry-operation"       // The operation cannot stand in a transaction.
	IDNoCapabilities       IssueID = "no-capabilities"       // There is no CapabilityStatement to read.
	IDEntryStream          IssueID = "entry-stream"          // The response of an operation is not a resource and cannot stand in a Bundle.
	IDDuplicateEntry       IssueID = "duplicate-entry"       // Two entries of a transaction write one resource.
	IDDuplicateFullURL     IssueID = "duplicate-fullurl"     // Two entries of a transaction have one fullUrl.
	IDUnresolvedReference  IssueID = "unresolved-reference"  // A reference by urn:uuid or urn:oid has no entry with that fullUrl.
	IDConditionalReference IssueID = "conditional-reference" // A conditional reference does not match exactly one resource, or is not allowed here.
	IDBatchReference       IssueID = "batch-reference"       // An entry of a batch refers to another entry; only a transaction resolves that.
	IDModifierExtension    IssueID = "modifier-extension"    // A modifier extension of a batch or transaction is not understood.
	IDTransactionLimit     IssueID = "transaction-limit"     // The transaction is larger than the database can commit at once.
)

// Writes.
const (
	IDIDMissing          IssueID = "id-missing"          // The resource of an update has no id.
	IDIDMismatch         IssueID = "id-mismatch"         // The id of the resource is not the one of the URL.
	IDIDExists           IssueID = "id-exists"           // A resource with this id exists, and the condition does not match it.
	IDPatchIdentity      IssueID = "patch-identity"      // A patch changes the resource's type or id.
	IDMissingReference   IssueID = "missing-reference"   // A reference names a resource of this server that does not exist.
	IDReferenced         IssueID = "referenced"          // Another resource still refers to the one to be deleted.
	IDIndexLimit         IssueID = "index-limit"         // The resource has more values for a search parameter than it can be found by.
	IDStorageBusy        IssueID = "storage-busy"        // Other large transactions fill the database's cache; retry.
	IDStorageDamaged     IssueID = "storage-damaged"     // A file of the data folder is damaged: what is in it cannot be read, and nothing is written until a backup is restored.
	IDStorageFull        IssueID = "storage-full"        // There is no space left for writes; reads are served.
	IDStorageLocked      IssueID = "storage-locked"      // Another write holds the resource or condition; retry.
	IDStorageLog         IssueID = "storage-log"         // The store cannot write until it is restarted.
	IDStorageTooLarge    IssueID = "storage-too-large"   // The resource with its index is larger than the database stores.
	IDStorageUnavailable IssueID = "storage-unavailable" // The database cannot be reached; retry.
	IDStorageUnknown     IssueID = "storage-unknown"     // The database failed while it stored the write, which may be stored. Look for it before you send it again.
)

// Stored SearchParameters.
const (
	IDParameterInvalid      IssueID = "parameter-invalid"       // The SearchParameter lacks something, or has something that cannot be used.
	IDParameterExpression   IssueID = "parameter-expression"    // The expression of the SearchParameter cannot be compiled.
	IDParameterNeverMatches IssueID = "parameter-never-matches" // The expression of a SearchParameter yields nothing on a base that its type of search can compare.
	IDParameterConflict     IssueID = "parameter-conflict"      // Another SearchParameter has the same url, or the same code for a type.
	IDParameterInUse        IssueID = "parameter-in-use"        // Another SearchParameter depends on the one to be removed.
)

// Operations and FHIRPath.
const (
	IDDocumentForeign     IssueID = "document-foreign"     // A document would have to hold a resource of another server, which is not asked.
	IDDocumentLimit       IssueID = "document-limit"       // The document would hold more resources, or be longer, than the server allows.
	IDMessageHeader       IssueID = "message-header"       // The Bundle is not a message, or lacks what a response needs.
	IDMessageEvent        IssueID = "message-event"        // Messages of this event are not processed here, or carry something else.
	IDMessageReused       IssueID = "message-reused"       // An id of a message that has come before is used again for another.
	IDMessageEndpoint     IssueID = "message-endpoint"     // The response to a message would go to an endpoint that the site has not named.
	IDOperationParameter  IssueID = "operation-parameter"  // A parameter of the operation is missing, unknown or has a value that it does not take.
	IDOperationCost       IssueID = "operation-cost"       // The operation would return or read more than the server allows.
	IDOperationUnits      IssueID = "operation-units"      // The values are in units that cannot be converted into one.
	IDGraphDefinition     IssueID = "graph-definition"     // The GraphDefinition cannot be followed.
	IDGraphIncomplete     IssueID = "graph-incomplete"     // The graph has less than its definition demands.
	IDNotAdministrator    IssueID = "not-administrator"    // The request may not administer the server.
	IDFHIRPathSyntax      IssueID = "fhirpath-syntax"      // The text is not a FHIRPath expression.
	IDFHIRPathElement     IssueID = "fhirpath-element"     // A path leads to an element that cannot exist.
	IDFHIRPathType        IssueID = "fhirpath-type"        // A value has another type than the expression needs.
	IDFHIRPathFunction    IssueID = "fhirpath-function"    // A function does not exist, or has other arguments.
	IDFHIRPathVariable    IssueID = "fhirpath-variable"    // A variable or an external constant is not defined.
	IDFHIRPathSingleton   IssueID = "fhirpath-singleton"   // Several items are found where one is needed.
	IDFHIRPathOrder       IssueID = "fhirpath-order"       // A function that needs an order is called on a collection without one.
	IDFHIRPathLimit       IssueID = "fhirpath-limit"       // The expression or its evaluation exceeds a limit.
	IDFHIRPathRegex       IssueID = "fhirpath-regex"       // A regular expression cannot be read.
	IDFHIRPathUnsupported IssueID = "fhirpath-unsupported" // The function is not served here.
	IDFHIRPathTerminology IssueID = "fhirpath-terminology" // A value set, a profile or a resource that the expression needs could not be reached.
)

// Content of resources.
const (
	IDResourceType    IssueID = "resource-type"    // The resourceType is missing, or is not the one expected.
	IDElementRequired IssueID = "element-required" // An element that must be there is missing.
	IDElementChoice   IssueID = "element-choice"   // An element with a choice of types has two values.
	IDElementArray    IssueID = "element-array"    // An array where the element may be there once, or no array where it may repeat.
	IDElementMax      IssueID = "element-max"      // The element is there more often than it may be.
	IDElementEmpty    IssueID = "element-empty"    // An object, an array or a string is empty.
	IDElementNull     IssueID = "element-null"     // A null where R4 allows none.
	IDElementSiblings IssueID = "element-siblings" // The arrays of a primitive's values and of their extensions differ in length.
	IDElementType     IssueID = "element-type"     // The JSON value is not of the kind that the element's type has.
	IDPrimitiveFormat IssueID = "primitive-format" // The text does not have the form of its type.
	IDPrimitiveLength IssueID = "primitive-length" // The text is longer than its type allows.
	IDCodeEnum        IssueID = "code-enum"        // The code is not in the value set of a required binding.
	IDReferenceFormat IssueID = "reference-format" // The reference is of no form that R4 has: it points to nothing.
	IDReferenceTarget IssueID = "reference-target" // The reference names a type of resource that the element may not refer to.
	IDReferenceInside IssueID = "reference-inside" // The reference is to a contained resource that is not there (ref-1).
	IDNarrativeScript IssueID = "narrative-script" // The narrative can run a script or load content from elsewhere.
	IDNarrativeMarkup IssueID = "narrative-markup" // The narrative is not the XHTML that R4 allows.
	IDNestingCost     IssueID = "nesting-cost"     // The resource is nested too deeply for its size.
	IDLibraryCost     IssueID = "library-cost"     // There are more faults than the server looks at.
	IDShapeEnum       IssueID = "shape-enum"       // The JSON Schema of R4 does not list the value.
	IDShapePattern    IssueID = "shape-pattern"    // The value does not match the pattern of R4's JSON Schema.
	IDShapeRequired   IssueID = "shape-required"   // The JSON Schema of R4 requires a member that is missing.
	IDShapeType       IssueID = "shape-type"       // The JSON Schema of R4 has another kind of JSON value here.
	IDShapeUnknown    IssueID = "shape-unknown"    // The JSON Schema of R4 allows no such member.
	IDShapeUnreadable IssueID = "shape-unreadable" // The JSON Schema of R4 could not be applied.
	IDShapeValue      IssueID = "shape-value"      // The value does not match the JSON Schema of R4.
	IDModelCode       IssueID = "model-code"       // The R4 model of google/fhir does not accept the code.
	IDModelReference  IssueID = "model-reference"  // The R4 model of google/fhir does not accept the reference.
	IDModelRequired   IssueID = "model-required"   // The R4 model of google/fhir requires an element that is missing.
	IDModelStructure  IssueID = "model-structure"  // The R4 model of google/fhir has another structure here.
	IDModelUnknown    IssueID = "model-unknown"    // The R4 model of google/fhir has no such element.
	IDModelUnreadable IssueID = "model-unreadable" // The R4 model of google/fhir could not read the resource.
	IDModelValue      IssueID = "model-value"      // The R4 model of google/fhir does not accept the value.
	IDSiteSchema      IssueID = "site-schema"      // The resource does not match the operator's own JSON Schema.
	IDSiteCost        IssueID = "site-cost"        // The resource has too many values for the operator's own JSON Schema.
)
