// Tokens of blocks and of pages: they allow a client to ask for what it was told about, and for nothing else. HMACs over their purpose.
#pragma once

#include <optional>
#include <string>

#include "service/action.hpp"

namespace brume::ebs {

// For a block that was listed for this account; valid until `expires`.
std::string block_token(const service::Context& context, const std::string& snapshot_id, std::int64_t block, Time expires);
bool is_block_token(const service::Context& context, const std::string& token, const std::string& snapshot_id, std::int64_t block);

// For the block that the next page of this listing begins with.
std::string page_token(const service::Context& context, const std::string& listing, std::int64_t next_block);
std::optional<std::int64_t> read_page_token(const service::Context& context, const std::string& token, const std::string& listing);

}  // namespace brume::ebs
