// pkg-config names the folder itself on some systems, the one above it is known on all.
#if __has_include(<hiredis/hiredis.h>)
#include <hiredis/hiredis.h>
#else
#include <hiredis.h>
#endif
