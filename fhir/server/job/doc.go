// Package job does durable work in the background: indexing, export, import, delivery.
//
// # Design
//
// A [Job] is a record in the store's Meta: what is to be done (Payload), how far it is (Position, Done, Total), its State and who asked for it.
// [Jobs] runs the jobs of one store in one process (a gateway). A [Kind] has the function that does the work.
//
// A job is run by one gateway at a time, which holds it by a lease: an instant in the record that a heartbeat moves on. Where a gateway ends
// without a word, another one, or the same after its restart, takes the job up when the lease is over, from the last Position. Work must
// therefore bear to be done twice from a Position on; what has to be exactly once is written by [Run.Update], in one Update with the Position,
// which fails where the lease is lost.
//
// A job may be asked for in the Update that makes it necessary ([Jobs.Add], [Jobs.Amend]), so that neither is stored without the other.
// Everything else that a caller sees, through any gateway, is read from the store: [Jobs.Get], [Jobs.List], [Jobs.Cancel].
//
// An error of the work is tried again with growing pauses; one that is [Permanent] ends the job as failed.
package job
