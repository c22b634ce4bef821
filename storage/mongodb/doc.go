// Package mongodb is the engine on a MongoDB replica set or sharded cluster.
package mongodb
