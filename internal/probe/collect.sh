# What sshtay wants to know about a server. Read only. POSIX sh.
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin:/usr/local/sbin"

# mark begins a section.
mark() { printf '\n=%s %s\n' "$N" "$*"; }

mark begin
mark end
