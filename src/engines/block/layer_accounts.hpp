// What volumes and snapshots cost on the disk, and which volumes could stand on fewer files.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "engines/block/block_engine.hpp"
#include "engines/block/layers.hpp"

namespace brume::block {

// What a file takes on its disk; 0 when it is not there.
std::uint64_t allocated(const std::string& path);

std::vector<Holding> holdings_of(const LayerStore& layers, std::initializer_list<LinkKind> kinds);
// Takes the time that it takes to walk each volume's chain once.
std::vector<Fold> foldable_of(const LayerStore& layers);

}  // namespace brume::block
