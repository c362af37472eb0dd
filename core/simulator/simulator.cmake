# The core over the simulated world, and the simulator with it. Included by the project's own CMakeLists.txt: the properties of
# sources hold in the directory that makes the target.
find_library(ACAIRO_BOOST_CONTEXT boost_context)
find_path(ACAIRO_BOOST_INCLUDE boost/version.hpp)
find_path(ACAIRO_CLI11_INCLUDE CLI/CLI.hpp)
if(NOT ACAIRO_BOOST_CONTEXT OR NOT ACAIRO_BOOST_INCLUDE OR NOT ACAIRO_CLI11_INCLUDE)
    message(FATAL_ERROR "The simulator needs Boost.Context, which switches its threads, and CLI11: install Debian's packages "
        "libboost-context-dev and libcli11-dev, or set ACAIRO_SIMULATOR to OFF.")
endif()
acairo_at_least(Boost.Context 1.74 libboost-context-dev "${ACAIRO_BOOST_INCLUDE}/boost/version.hpp" "define BOOST_LIB_VERSION ")
acairo_at_least(CLI11 2.1 libcli11-dev "${ACAIRO_CLI11_INCLUDE}/CLI/Version.hpp" "define CLI11_VERSION ")

# The simulator itself, which knows nothing of the core; and the core over it.
file(GLOB sources CONFIGURE_DEPENDS "${acairo_SOURCE_DIR}/core/simulator/acairo/*.cpp")
add_library(acairo_simulator ${sources})
add_library(acairo::simulator ALIAS acairo_simulator)
target_compile_features(acairo_simulator PUBLIC cxx_std_20)
target_include_directories(acairo_simulator PUBLIC
    "$<BUILD_INTERFACE:${acairo_SOURCE_DIR}/core/simulator;${acairo_SOURCE_DIR}/core>"
    "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/acairo/core/simulator;${CMAKE_INSTALL_INCLUDEDIR}>")
target_include_directories(acairo_simulator SYSTEM PRIVATE "${ACAIRO_CLI11_INCLUDE}")
target_link_libraries(acairo_simulator PUBLIC "${ACAIRO_BOOST_CONTEXT}" Threads::Threads ${CMAKE_DL_LIBS})
acairo_warnings(acairo_simulator CONVERSION)
if(ACAIRO_JOIN AND NOT ACAIRO_COVERAGE)
    set_target_properties(acairo_simulator PROPERTIES UNITY_BUILD ON)
endif()
# A fuzzer's runs are as many as possible: the simulator need not be watched there, only what it runs.
if(ACAIRO_UNWATCHED_SIMULATOR)
    target_compile_options(acairo_simulator PRIVATE -fno-sanitize=all)
endif()

file(GLOB sources CONFIGURE_DEPENDS "${acairo_SOURCE_DIR}/core/acairo/*.cpp")
add_library(acairo_simulated ${sources})
add_library(acairo::simulated ALIAS acairo_simulated)
target_link_libraries(acairo_simulated PUBLIC acairo_simulator)
acairo_warnings(acairo_simulated CONVERSION)
if(ACAIRO_FUZZER)
    target_compile_options(acairo_simulated PRIVATE ${ACAIRO_FUZZER_COVERAGE})
endif()

# What gdb can do with a run, as a text in each program; and what it looks at, described in every build.
set(acairo_gdb "${acairo_SOURCE_DIR}/core/simulator/gdb")
set(acairo_gdb_commands "${PROJECT_BINARY_DIR}/gdb_commands.cpp")
add_custom_command(OUTPUT "${acairo_gdb_commands}" DEPENDS "${acairo_gdb}/acairo.py" "${acairo_gdb}/commands.cmake" VERBATIM
    COMMAND ${CMAKE_COMMAND} "-Dscript=${acairo_gdb}/acairo.py" "-Doutput=${acairo_gdb_commands}" -P "${acairo_gdb}/commands.cmake")
target_sources(acairo_simulator PRIVATE "${acairo_gdb_commands}")
set_source_files_properties("${acairo_SOURCE_DIR}/core/simulator/acairo/debugger.cpp" PROPERTIES
    COMPILE_OPTIONS "-g;$<IF:$<CXX_COMPILER_ID:Clang>,-fstandalone-debug,-femit-class-debug-always>")

# What runs between two threads of a run must not be seen by the thread sanitizer: see sanitizers.hpp, invariant 2. The option
# does nothing in other builds.
foreach(unseen allocations fiber memory_model sanitizers scheduler threads waiting)
    set_source_files_properties("${acairo_SOURCE_DIR}/core/simulator/acairo/${unseen}.cpp" PROPERTIES
        COMPILE_OPTIONS -fno-sanitize=thread)
endforeach()

# A recording means something only to the sources that made it, and to the standard library that they were built with, which
# destroys a deque's elements in its own order: their hash is in each token.
set(acairo_library libstdc++)
if(CMAKE_CXX_FLAGS MATCHES "-stdlib=libc\\+\\+")
    set(acairo_library libc++)
endif()
file(GLOB acairo_schema_sources CONFIGURE_DEPENDS "${acairo_SOURCE_DIR}/core/acairo/*.?pp"
    "${acairo_SOURCE_DIR}/core/simulator/acairo/*.?pp")
set(acairo_schema "${PROJECT_BINARY_DIR}/schema.cpp")
add_custom_command(OUTPUT "${acairo_schema}" DEPENDS ${acairo_schema_sources} VERBATIM
    COMMAND ${CMAKE_COMMAND} "-Dsources=${acairo_schema_sources}" "-Dlibrary=${acairo_library}" "-Doutput=${acairo_schema}"
        -P "${acairo_SOURCE_DIR}/core/simulator/schema.cmake")
target_sources(acairo_simulator PRIVATE "${acairo_schema}")

# A program that holds properties and is linked by clang, not clang++, has the simulator's operator new also under the
# sanitizers of addresses and of threads, whose C++ runtimes have one of their own: see allocations.cpp.
enable_language(C)
string(REGEX MATCHALL "-f(no-)?sanitize=[^ ]+" acairo_sanitizers "${CMAKE_CXX_FLAGS}")
function(acairo_link_simulated program)  # and the library, last
    if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=[a-z,]*(thread|address)" AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
        set_target_properties(${program} PROPERTIES LINKER_LANGUAGE C)
        target_link_options(${program} PRIVATE ${acairo_sanitizers})
        if(CMAKE_CXX_FLAGS MATCHES "-stdlib=libc\\+\\+")
            target_link_libraries(${program} PRIVATE c++ c++abi m)
        else()
            target_link_libraries(${program} PRIVATE stdc++ m)
        endif()
    endif()
    target_link_libraries(${program} PRIVATE ${ARGN})
endfunction()

set_target_properties(acairo_simulator PROPERTIES EXPORT_NAME simulator)
set_target_properties(acairo_simulated PROPERTIES EXPORT_NAME simulated)
install(TARGETS acairo_simulator acairo_simulated EXPORT acairo-simulator)
install(DIRECTORY "${acairo_SOURCE_DIR}/core/simulator/acairo" DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/acairo/core/simulator
    FILES_MATCHING PATTERN *.hpp)
install(EXPORT acairo-simulator NAMESPACE acairo:: FILE acairo-simulator-targets.cmake DESTINATION ${acairo_package})
