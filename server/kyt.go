package server

import "net/http"

func (g *gateway) serveKYT(w http.ResponseWriter, r *http.Request) {
	g.noRoute(r.Context(), g.mux, g.codec, w, r, http.StatusNotFound)
}
