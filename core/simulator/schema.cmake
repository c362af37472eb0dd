# Writes OUTPUT: the hash of all SOURCES and of the LIBRARY's name, as acairo::simulator::schema().
set(all "${library}")
foreach(source IN LISTS sources)
    file(SHA256 "${source}" hash)
    string(APPEND all "${hash}")
endforeach()
string(SHA256 hash "${all}")
string(SUBSTRING "${hash}" 0 8 hash)
file(CONFIGURE OUTPUT "${output}" CONTENT "#include <acairo/token.hpp>\n\nconst char* acairo::simulator::schema() noexcept { return \"${hash}\"; }\n")
