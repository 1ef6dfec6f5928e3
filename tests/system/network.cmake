# Real packets through real namespaces; needs root. It runs in a network and mount namespace of its own.
add_executable(network_system_test ${CMAKE_CURRENT_LIST_DIR}/network_test.cpp ${CMAKE_CURRENT_LIST_DIR}/network_world.cpp)
target_link_libraries(network_system_test PRIVATE brume_network GTest::gtest)
add_test(NAME network_system_test COMMAND network_system_test)
set_tests_properties(network_system_test PROPERTIES TIMEOUT 120 SKIP_RETURN_CODE 77)
add_executable(routing_system_test ${CMAKE_CURRENT_LIST_DIR}/routing_test.cpp ${CMAKE_CURRENT_LIST_DIR}/network_world.cpp)
target_link_libraries(routing_system_test PRIVATE brume_network GTest::gtest)
add_test(NAME routing_system_test COMMAND routing_system_test)
set_tests_properties(routing_system_test PROPERTIES TIMEOUT 120 SKIP_RETURN_CODE 77)
