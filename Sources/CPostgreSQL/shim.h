// The types and constants of PostgreSQL's client library; its functions are looked up when they are needed (LibPQ.swift).
#if __has_include(<postgresql/libpq-fe.h>)
#include <postgresql/libpq-fe.h>
#else
#include <libpq-fe.h>
#endif
