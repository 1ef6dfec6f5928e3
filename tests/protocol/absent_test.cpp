#include <gtest/gtest.h>

TEST(ProtocolCases, Absent) {
  GTEST_SKIP() << "botocore's protocol cases are not at " BRUME_PROTOCOL_CASES "; configure with -DBRUME_PROTOCOL_CASES=FOLDER";
}
