//! Features, their graph and their versions, as Python Metaxy computes them.
