// Package rest is the HTTP edge: it turns requests into interactions and their results into answers. It is the only package that knows Gin.
//
// # Design
//
// A request passes Handler.ServeHTTP (request id, CORS), Gin's router, and handle, which every route is wrapped in: it makes an exchange,
// measures, logs, turns panics into 500 and errors into OperationOutcomes (outcome.go, the one place). The handlers themselves, one file an interaction, read
// what the request says (negotiate.go, prefer.go, etag.go, forwarded.go, limits.go), call the Service, and write its bytes (respond.go).
// Nothing here decides what an interaction means, and no handler decides a status: fhir.Kind has it.
//
// # Decisions
//
// 1. No pass over the body of a read (2026-11-23). Context: a read should cost little more than a handler that returns constant bytes; a JSON
// encoder would cost several times that. Choice: the stored bytes are the answer; _pretty, _summary and _elements transform them only where asked
// for. Consequence: BenchmarkRead against BenchmarkConstant shows the edge's whole cost.
//
// 2. Compression from 64 KiB (2026-11-23). Context: gzip of a page of 20 patients (50 KB) costs half a millisecond of client and server together,
// more than its search; on the networks that such a page is read over it saves less. Choice: bodies below Config.CompressAbove go out plain,
// larger ones with the fastest level; the CapabilityStatement is packed once and kept. Consequence: single resources and common pages are
// never compressed; a site with slow clients lowers the limit. Entity tags are weak, so one tag is right for both forms.
//
// 3. Strict conditions, lenient preferences (2026-11-23). Context: RFC 9110 and RFC 7240 tell to pass over what can't be read in some headers;
// an If-Match that is passed over loses an update. Choice: If-Match, If-None-Match and If-None-Exist that can't be read are 400; a
// date in If-Modified-Since and unknown words in Prefer are passed over, as their standards demand. Consequence: see the table in hostile_test.go.
//
// 4. Raw content is the default form of a Binary (2026-11-23). Context: R4 leaves the rules between Accept and contentType to servers. Choice:
// content unless FHIR JSON has the greater quality, or the same by name; content never runs in a browser (sandbox, nosniff). Where the content
// is FHIR JSON itself, application/fhir+json by name asks for the Binary. Consequence: a link to a Binary shows the document, and a FHIR client
// gets the resource.
//
// 5. Other origins are none but localhost (2026-11-23). Context: without authorization any page in a browser could read a server on
// the same machine if every origin were allowed. Choice: by default pages from localhost may read, all others need Config.Origins. Consequence: development
// works, and a visit to a web site gives no records away. Nor does it change any: a request by another method than GET, HEAD and OPTIONS from a page
// of another origin is refused, since text/plain is posted to Binary without a preflight; and where the server is for its own machine
// (Config.LoopbackOnly), so is a Host of any other name, which a page has whose name was bound to the loopback address.
//
// 6. 414 has a kind of its own (2026-11-23). Context: searches with thousands of ids run into limits on URLs, and clients tell 414 (use POST
// _search) from 413. Choice: net/http's own limit on headers lies above ours, so that the answer is an OperationOutcome. Consequence: NewServer must be
// used, or its MaxHeaderBytes repeated.
package rest
