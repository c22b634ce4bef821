package mongodb

import (
	"errors"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// What servers answer to hello: a router of a sharded cluster and a member of a set serve, a standalone does not.
func TestHelloTellsWhatServes(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer bson.D
		fits   bool
	}{
		{"router", bson.D{{Key: "isWritablePrimary", Value: true}, {Key: "msg", Value: "isdbgrid"}, {Key: "maxWireVersion", Value: 17}, {Key: "ok", Value: 1.0}}, true},
		{"member", bson.D{{Key: "setName", Value: "rs0"}, {Key: "isWritablePrimary", Value: true}, {Key: "ok", Value: 1.0}}, true},
		{"standalone", bson.D{{Key: "isWritablePrimary", Value: true}, {Key: "maxWireVersion", Value: 17}, {Key: "ok", Value: 1.0}}, false},
		{"another message", bson.D{{Key: "msg", Value: "something"}, {Key: "ok", Value: 1.0}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw, err := bson.Marshal(c.answer)
			if err != nil {
				t.Fatal(err)
			}
			var h hello
			if err := bson.Unmarshal(raw, &h); err != nil {
				t.Fatal(err)
			}
			err = h.fit()
			if (err == nil) != c.fits {
				t.Errorf("%v", err)
			}
			if err != nil && (!errors.As(err, new(*unfitError)) || !strings.Contains(err.Error(), "rs.initiate()")) {
				t.Errorf("%v", err)
			}
		})
	}
}
