// The cost of volumes and snapshots on the disk, and which volumes could stand on fewer files.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "engines/block/block_engine.hpp"
#include "engines/block/layers.hpp"

namespace brume::block {

// A file's room on its disk; 0 if it does not exist.
std::uint64_t allocated(const std::string& path);

std::vector<Holding> holdings_of(const LayerStore& layers, std::initializer_list<LinkKind> kinds);
// Takes as long as walking each volume's chain once.
std::vector<Fold> foldable_of(const LayerStore& layers);

}  // namespace brume::block
