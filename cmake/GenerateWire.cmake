# brume_wire_generated: request and answer types of the built actions and the schema data, from models/ (see models/generate.py).
# Its headers are "wire/<service>/<family>.hpp" in ${CMAKE_BINARY_DIR}/generated. The code uses brume_wire's codecs, which are
# named here for the linker only: no build order follows from it.
set(BRUME_WIRE_GENERATOR ${CMAKE_SOURCE_DIR}/models/generate.py)
set(BRUME_WIRE_OUT ${CMAKE_BINARY_DIR}/generated)
file(GLOB BRUME_WIRE_INPUTS CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/models/*.json ${CMAKE_SOURCE_DIR}/models/*.py)
list(FILTER BRUME_WIRE_INPUTS EXCLUDE REGEX "instance-types|/coverage.py$|/strip_model.py$")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/models/built.json ${BRUME_WIRE_GENERATOR})

execute_process(COMMAND ${Python3_EXECUTABLE} -B ${BRUME_WIRE_GENERATOR} --out ${BRUME_WIRE_OUT} --list
                OUTPUT_VARIABLE BRUME_WIRE_OUTPUTS COMMAND_ERROR_IS_FATAL ANY)
# Files that do not change keep their time, so that only what uses them is compiled again; the stamp says that it was looked at.
set(BRUME_WIRE_STAMP ${BRUME_WIRE_OUT}/wire.stamp)
add_custom_command(
  OUTPUT ${BRUME_WIRE_STAMP} BYPRODUCTS ${BRUME_WIRE_OUTPUTS}
  COMMAND ${Python3_EXECUTABLE} -B ${BRUME_WIRE_GENERATOR} --out ${BRUME_WIRE_OUT}
  COMMAND ${CMAKE_COMMAND} -E touch ${BRUME_WIRE_STAMP}
  DEPENDS ${BRUME_WIRE_INPUTS}
  COMMENT "Generating the wire types"
  VERBATIM)
add_custom_target(brume_wire_generate DEPENDS ${BRUME_WIRE_STAMP})

set(BRUME_WIRE_SOURCES ${BRUME_WIRE_OUTPUTS})
list(FILTER BRUME_WIRE_SOURCES INCLUDE REGEX "\\.cpp$")
set_source_files_properties(${BRUME_WIRE_OUTPUTS} PROPERTIES GENERATED ON)
add_library(brume_wire_generated STATIC ${BRUME_WIRE_SOURCES})
add_dependencies(brume_wire_generated brume_wire_generate)
target_link_libraries(brume_wire_generated PUBLIC brume_options brume_base INTERFACE $<TARGET_NAME_IF_EXISTS:brume_wire>)
brume_unity(brume_wire_generated)
# Tables of numbers, each with the same names for its own.
set(BRUME_WIRE_DATA ${BRUME_WIRE_SOURCES})
list(FILTER BRUME_WIRE_DATA INCLUDE REGEX "/schema_data_")
set_source_files_properties(${BRUME_WIRE_DATA} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
if(TARGET brume_base)
  target_precompile_headers(brume_wire_generated REUSE_FROM brume_base)
endif()
