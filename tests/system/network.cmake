# Real packets through real namespaces; needs root. Each runs in a network and mount namespace of its own.
function(brume_packet_test name seconds)
  add_executable(${name}_system_test ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/${name}_test.cpp ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/network_world.cpp)
  target_link_libraries(${name}_system_test PRIVATE brume_network GTest::gtest)
  add_test(NAME ${name}_system_test COMMAND ${name}_system_test)
  set_tests_properties(${name}_system_test PROPERTIES TIMEOUT ${seconds} SKIP_RETURN_CODE 77)
endfunction()

foreach(name network routing peering edge ipv6 flow_log)
  brume_packet_test(${name} 120)
endforeach()
target_link_libraries(flow_log_system_test PRIVATE brume_control GTest::gmock)
brume_packet_test(network_kill 300)
target_sources(network_kill_system_test PRIVATE ${CMAKE_CURRENT_LIST_DIR}/step_killer.cpp ${CMAKE_CURRENT_LIST_DIR}/kernel_picture.cpp)
