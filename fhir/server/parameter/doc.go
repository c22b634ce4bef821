// Package parameter keeps the search parameters that clients add by storing SearchParameter resources: which are in force, and the indexing of
// what was stored before them.
//
// # Design
//
// A [Set] is what is in force in this process: it adds to, and takes from, the search.Parameters of R4. Its state has a generation, which counts
// its changes here, and a revision, which counts in the store the Updates that wrote SearchParameters, through whichever gateway.
//
// Whoever writes tells the Set four things. [Set.Begin] notes that a write is under way. [Set.Outdated] says, inside of the Update, whether entries
// were made with other parameters than are in force. [Set.Plan] refuses a SearchParameter that can't be served, and notes in the same Update that
// indexing is due. [Set.Written] brings into force what was stored, before the response to the write is sent. Whoever reads asks [Set.Holds] whether what a
// request was understood as holds in its view.
//
// The indexing is one job (package job) whose worklist Plan amends. It goes through the resources of one type after the other, once for all
// parameters that wait for that type, and makes their entries again, in small Updates; after a restart it goes on where it was. It begins when the
// writes have ended that were under way, and no write waits for it.
//
// The package knows nothing of interactions: it is given the server's own store, and a function that makes the entries of a record.
package parameter
