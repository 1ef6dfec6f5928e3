# Warnings are errors on both compilers; ccache and a fast linker are used where they are installed.
add_library(brume_options INTERFACE)
target_compile_options(brume_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 sees overruns in std::string's own inlined copies where there are none (GCC bugs 105329, 105651); clang and the sanitizers look
  # after the real ones. Asio's fences are understood by g++'s thread sanitizer only in part, and it says so with a warning.
  target_compile_options(brume_options INTERFACE -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread -Wno-tsan)
endif()
# Heavy third-party headers make debug information of several hundred MB; line tables and names are enough for a stack trace.
target_compile_options(brume_options INTERFACE $<$<CONFIG:RelWithDebInfo>:-g1> $<$<CONFIG:Debug>:-g1>)
target_compile_definitions(brume_options INTERFACE $<$<CONFIG:RelWithDebInfo>:_FORTIFY_SOURCE=2>)
target_include_directories(brume_options INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_BINARY_DIR}/generated)

if(BRUME_SANITIZE)
  add_compile_options(-fsanitize=${BRUME_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${BRUME_SANITIZE})
endif()
if(BRUME_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # A precompiled header makes ccache ask for these.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE_PROGRAM})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-fpch-preprocess)
  else()
    add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
  endif()
endif()
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
endif()

# brume_library(NAME [LINK ...]): a static library of the .cpp files in this folder and below it, with the common precompiled header.
# A program's own file lies in main/ and belongs to no library.
function(brume_library name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS *.cpp)
  list(FILTER sources EXCLUDE REGEX "/main/[^/]*$")
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PUBLIC brume_options ${ARG_LINK})
  if(NOT name STREQUAL "brume_base")
    target_precompile_headers(${name} REUSE_FROM brume_base)
  endif()
endfunction()
