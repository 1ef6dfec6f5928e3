# Warnings are errors on both compilers; ccache and a fast linker are used where they are installed.
add_library(brume_options INTERFACE)
target_compile_options(brume_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual -Werror)
# In a group of files (brume_unity) a file's own names stand before the next file's locals, and its own types are in a file that is included:
# these two warnings are for single files, which the preset 'dev' compiles.
set(in_unity $<BOOL:$<TARGET_PROPERTY:UNITY_BUILD>>)
target_compile_options(brume_options INTERFACE $<${in_unity}:-Wno-shadow>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(brume_options INTERFACE $<${in_unity}:-Wshadow=local> $<${in_unity}:-Wno-subobject-linkage>)
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

# brume_unity(TARGET): where BRUME_UNITY is on, the target's files are compiled in groups: files of one folder, at most BRUME_UNITY of them.
# Half the processor time goes into code that each file would make anew. tests/style/unity_test.py keeps the names in anonymous namespaces
# of a folder unique, without which a group would not compile.
set(BRUME_UNITY 0 CACHE STRING "How many files are compiled as one at most; 0: each alone")
function(brume_unity target)
  if(NOT BRUME_UNITY GREATER 1)
    return()
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources INCLUDE REGEX "\\.cpp$")
  set(folders)
  foreach(source ${sources})
    cmake_path(GET source PARENT_PATH folder)
    list(APPEND folders "${folder}")
  endforeach()
  list(REMOVE_DUPLICATES folders)
  foreach(folder ${folders})
    # Groups of about the same size: eleven files are six and five, not ten and one.
    set(files ${sources})
    list(FILTER files INCLUDE REGEX "^${folder}/[^/]*$")
    list(LENGTH files count)
    math(EXPR groups "(${count} + ${BRUME_UNITY} - 1) / ${BRUME_UNITY}")
    set(at 0)
    string(REGEX REPLACE "[^A-Za-z0-9]+" "_" group "${folder}")
    foreach(source ${files})
      math(EXPR number "${at} * ${groups} / ${count}")
      set_source_files_properties(${source} PROPERTIES UNITY_GROUP "${group}_${number}")
      math(EXPR at "${at} + 1")
    endforeach()
  endforeach()
endfunction()

# brume_library(NAME [COLD] [LINK ...]): a static library of the .cpp files in this folder and below it, with the common precompiled header.
# A program's own file lies in main/ and belongs to no library. COLD: it waits for disks and processes, not for the processor, so that
# half the optimiser's work is enough; a quarter less time to build. 'make bench' decides.
function(brume_library name)
  cmake_parse_arguments(ARG "COLD" "" "LINK" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS *.cpp)
  list(FILTER sources EXCLUDE REGEX "/main/[^/]*$")
  add_library(${name} STATIC ${sources})
  brume_unity(${name})
  if(ARG_COLD)
    target_compile_options(${name} PRIVATE $<$<CONFIG:RelWithDebInfo>:-O1>)
  endif()
  target_link_libraries(${name} PUBLIC brume_options ${ARG_LINK})
  if(NOT name STREQUAL "brume_base")
    target_precompile_headers(${name} REUSE_FROM brume_base)
  endif()
endfunction()
