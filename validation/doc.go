// Package validation checks resources: elements, shape, model, narrative, and the site's own schemas.
package validation
