#include "train/loop/model_loader.h"

#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files/lfs_pointer.h"
#include "common/files/posix_status.h"
#include "common/hash.h"
#include "common/inputs/model_home.h"
#include "common/inputs/sae_fit.h"
#include "common/inputs/weights/foreign_weights.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/formats/nf4_names.h"
#include "train/formats/sae_files.h"
#include "train/formats/safetensors_directory.h"
#include "train/formats/tensor_type.h"
#include "train/model/weight_names.h"
#include "train/packed/nf4_folder.h"

namespace fpo::train {
namespace {

absl::Status About(const std::string& path, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat("model ", path, ": ", status.message()));
}

// What of a folder's tensors makes the model.
struct Selection : TensorSelection {
  std::set<std::string> packed;  // of the names used, those in NF4
};

// The headers alone: what does not fit is refused before anything is read.
absl::Status CheckHeaders(const SafetensorsDirectory& directory, const Selection& selection,
                          const GemmaConfig& config) {
  const auto shapes = TensorShapes(config);
  for (const auto& [name, canonical] : selection.used) {
    if (selection.packed.contains(name)) {
      FPO_RETURN_IF_ERROR(ReadNf4(directory, name, shapes.at(canonical)).status());
      continue;
    }
    FPO_ASSIGN_OR_RETURN(const TensorEntry entry, directory.Entry(name));
    if (const std::string quantised = QuantisedType(entry.dtype); !quantised.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("model weights: tensor \"", name, "\" is ", quantised,
                       "; only weights in BF16, F16 or F32 can be trained: use the model in full "
                       "precision that they were made from"));
    }
    const auto expected = shapes.find(canonical);
    if (expected == shapes.end() || expected->second == entry.shape) continue;
    const bool rows = canonical == "model.embed_tokens.weight" || canonical == "lm_head.weight";
    return absl::InvalidArgumentError(absl::StrCat(
        "model weights: tensor \"", name, "\" has shape ", ShapeText(entry.shape),
        ", but config.json asks for ", ShapeText(expected->second),
        rows ? ": vocab_size of config.json is not the number of rows of the embedding" : ""));
  }
  return absl::OkStatus();
}

absl::StatusOr<Selection> SelectFrom(const SafetensorsDirectory& directory,
                                     const GemmaConfig& config) {
  Nf4Names names = SplitNf4Names(directory.Names());
  FPO_ASSIGN_OR_RETURN(TensorSelection used, SelectTensors(config, names.tensors));
  const Selection selection{std::move(used), std::move(names.packed)};
  FPO_RETURN_IF_ERROR(CheckHeaders(directory, selection, config));
  return selection;
}

// What transformers would not read either, and what looks wrong.
void Tell(const std::string& path, const std::vector<const std::vector<std::string>*>& notes,
          const std::function<void(const std::string&)>& warn) {
  for (const auto* list : notes) {
    for (const std::string& note : *list) {
      if (warn) warn(absl::StrCat("model ", path, ": ", note));
    }
  }
}

absl::StatusOr<ModelIdentity> Identify(const SafetensorsDirectory& directory, GemmaConfig config) {
  FPO_ASSIGN_OR_RETURN(const Digest weights, directory.KeptWeightsDigest());
  const Digest digest =
      Sha256Of(absl::StrCat("fpo-model-1\n", ConfigText(config), "\n", ToHex(weights)));
  return ModelIdentity{std::move(config), ToHex(digest)};
}

// A checkpoint takes configuration and tokenizer from the model its run started from: that must
// still be the same one.
absl::Status CheckHome(const std::string& checkpoint) {
  FPO_ASSIGN_OR_RETURN(const std::string home, ModelHome(checkpoint));
  const std::string expected = StartDigestOf(checkpoint);
  if (home == checkpoint || expected.empty() || IsCheckpointFolder(home)) return absl::OkStatus();
  // The run's own export is of other weights.
  if (home == std::filesystem::absolute(checkpoint).parent_path().parent_path() / "model") {
    return absl::OkStatus();
  }
  const auto directory = SafetensorsDirectory::Open(home);
  if (!directory.ok()) return absl::OkStatus();  // its weights are not needed
  FPO_ASSIGN_OR_RETURN(GemmaConfig config, ReadModelConfig(home));
  FPO_ASSIGN_OR_RETURN(const ModelIdentity identity, Identify(*directory, std::move(config)));
  if (identity.digest == expected) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "checkpoint ", checkpoint, " takes its config.json and tokenizer from ", home,
      ", the model its run started from, but another model is there now (digest ",
      identity.digest.substr(0, 12), ", not ", expected.substr(0, 12),
      "); copy config.json and the tokenizer files that belong to the checkpoint into its folder"));
}

}  // namespace

absl::StatusOr<GemmaConfig> ReadModelConfig(const std::string& folder) {
  const std::string foreign = ForeignWeights(folder, false);
  if (!foreign.empty()) return absl::InvalidArgumentError(foreign);
  if (!std::filesystem::is_directory(folder)) {
    return absl::NotFoundError(
        absl::StrCat("model folder ", folder,
                     " does not exist; model.path is a Hugging Face folder with "
                     "config.json, *.safetensors and tokenizer.json or tokenizer.model"));
  }
  FPO_ASSIGN_OR_RETURN(const std::string home, ModelHome(folder));
  const auto text = ReadFile(home + "/config.json", 16 << 20);
  if (!text.ok()) {
    return absl::NotFoundError(
        absl::StrCat("model folder ", folder, " has no readable config.json (",
                     text.status().message(), "); it must be a Hugging Face folder"));
  }
  FPO_RETURN_IF_ERROR(CheckIsNoLfsPointer(*text, home + "/config.json"));
  auto config = ParseGemmaConfig(*text);
  if (!config.ok()) return About(folder, config.status());
  return config;
}

absl::StatusOr<at::ScalarType> ParseDtype(const std::string& name) {
  if (name == "float32") return at::kFloat;
  if (name == "bfloat16") return at::kBFloat16;
  return absl::InvalidArgumentError(
      absl::StrCat("dtype '", name, "' is not known; use float32 or bfloat16"));
}

absl::StatusOr<ModelIdentity> IdentifyModel(const std::string& path) {
  FPO_ASSIGN_OR_RETURN(GemmaConfig config, ReadModelConfig(path));
  FPO_ASSIGN_OR_RETURN(const SafetensorsDirectory directory, SafetensorsDirectory::Open(path));
  return Identify(directory, std::move(config));
}

absl::Status CheckModel(const std::string& path,
                        const std::function<void(const std::string&)>& warn) {
  FPO_ASSIGN_OR_RETURN(const GemmaConfig config, ReadModelConfig(path));
  FPO_ASSIGN_OR_RETURN(const SafetensorsDirectory directory, SafetensorsDirectory::Open(path));
  const auto selection = SelectFrom(directory, config);
  if (!selection.ok()) return About(path, selection.status());
  Tell(path, {&directory.notes(), &selection->notes, &config.warnings}, warn);
  return absl::OkStatus();
}

absl::StatusOr<TensorMap> MapWeights(const std::string& path) {
  FPO_ASSIGN_OR_RETURN(const GemmaConfig config, ReadModelConfig(path));
  FPO_ASSIGN_OR_RETURN(const SafetensorsDirectory directory, SafetensorsDirectory::Open(path));
  FPO_ASSIGN_OR_RETURN(const Selection selection, SelectFrom(directory, config));
  const auto shapes = TensorShapes(config);
  TensorMap tensors;
  for (const auto& [name, canonical] : selection.used) {
    if (selection.packed.contains(name)) {
      FPO_ASSIGN_OR_RETURN(const Nf4Tensor packed, ReadNf4(directory, name, shapes.at(canonical)));
      tensors.emplace(canonical, DequantisedNf4(packed, at::kFloat));
      continue;
    }
    FPO_ASSIGN_OR_RETURN(at::Tensor stored, directory.Tensor(name));
    tensors.emplace(canonical, std::move(stored));
  }
  return tensors;
}

namespace {

// The weights of a model on their way from its folder.
struct WeightReader {
  const ModelRequest& request;
  at::ScalarType dtype;
  const SafetensorsDirectory& directory;
  const Selection& selection;
  const std::map<std::string, std::vector<int64_t>> shapes;
  TensorMap dense = {};
  Nf4Weights packed = {};

  absl::Status Read(const std::string& name, const std::string& canonical) {
    if (selection.packed.contains(name)) {
      FPO_ASSIGN_OR_RETURN(const Nf4Tensor stored, ReadNf4(directory, name, shapes.at(canonical)));
      if (request.packing.empty()) {
        dense.emplace(canonical, DequantisedNf4(stored, dtype).to(request.device));
      } else {
        packed.emplace(canonical, stored.To(request.device));
      }
      return absl::OkStatus();
    }
    FPO_ASSIGN_OR_RETURN(const at::Tensor stored, directory.Tensor(name));
    // A folder that has packed weights is taken as it is.
    if (request.packing.empty() || !selection.packed.empty() || !IsProjection(canonical)) {
      dense.emplace(canonical, stored.to(request.device, dtype, /*non_blocking=*/false,
                                         /*copy=*/request.trainable));
      return absl::OkStatus();
    }
    const auto quantised = QuantiseNf4(stored.to(dtype), request.packing == "nf4-double");
    if (!quantised.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("model weights: tensor \"", name, "\" ", quantised.status().message()));
    }
    directory.Forget(name);
    packed.emplace(canonical, quantised->To(request.device));
    return absl::OkStatus();
  }
};

absl::Status CheckTrainable(const ModelRequest& request, const Selection& selection) {
  if (!request.trainable || selection.packed.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("model ", request.path, " has weights in NF4 (bitsandbytes), which cannot be ",
                   "trained themselves; train an adapter beside them: adapter.kind: qlora"));
}

}  // namespace

absl::StatusOr<LoadedModel> LoadModel(const ModelRequest& request) {
  FPO_ASSIGN_OR_RETURN(const at::ScalarType dtype, ParseDtype(request.dtype));
  FPO_ASSIGN_OR_RETURN(GemmaConfig config, ReadModelConfig(request.path));
  FPO_ASSIGN_OR_RETURN(SafetensorsDirectory opened, SafetensorsDirectory::Open(request.path));
  const auto weights = std::make_shared<const SafetensorsDirectory>(std::move(opened));
  const SafetensorsDirectory& directory = *weights;
  const auto selection = SelectFrom(directory, config);
  if (!selection.ok()) return About(request.path, selection.status());
  FPO_RETURN_IF_ERROR(CheckTrainable(request, *selection));
  FPO_RETURN_IF_ERROR(CheckHome(request.path));
  FPO_ASSIGN_OR_RETURN(const ModelIdentity identity, Identify(directory, std::move(config)));
  Tell(request.path, {&directory.notes(), &selection->notes, &identity.config.warnings},
       request.warn);
  WeightReader reader{request, dtype, directory, *selection, TensorShapes(identity.config)};
  Work work(absl::StrCat("loading ", request.path), directory.Bytes(), "bytes");
  for (const auto& [name, canonical] : selection->used) {
    FPO_RETURN_IF_ERROR(reader.Read(name, canonical));
    FPO_ASSIGN_OR_RETURN(const TensorEntry entry, directory.Entry(name));
    work.Advance(entry.end - entry.begin);
  }
  FPO_RETURN_IF_ERROR(directory.CheckUnchanged());
  auto model = Gemma::Create(identity.config, std::move(reader.dense), std::move(reader.packed));
  if (!model.ok()) return About(request.path, model.status());
  if (request.trainable) model->SetRequiresGrad(true);
  return LoadedModel{*std::move(model), request.path, identity.digest,
                     request.trainable ? nullptr : weights};
}

absl::StatusOr<LoadedSae> LoadSae(const SaeSection& section, const GemmaConfig& config,
                                  at::Device device) {
  FPO_ASSIGN_OR_RETURN(const SaeParameters file, LoadSaeFile(section.path, section.layer,
                                                             section.site, section.normalization));
  FPO_ASSIGN_OR_RETURN(const Site site, ParseSite(file.site));
  SaeDescription sae_place;
  sae_place.layer = file.layer;
  sae_place.site = file.site;
  sae_place.d_in = file.w_enc.size(0);
  FPO_RETURN_IF_ERROR(CheckSaeFits(section.path, sae_place, ShapeOf(config)));
  SaeTensors tensors{file.w_enc, file.b_enc, file.threshold,
                     file.w_dec, file.b_dec, file.apply_b_dec_to_input,
                     file.top_k};
  FPO_ASSIGN_OR_RETURN(const SparseAutoencoder sae, SparseAutoencoder::Create(tensors));
  return LoadedSae{sae.To(device),
                   Tap{file.layer, site},
                   section.path,
                   ToHex(file.digest),
                   file.l0 ? file.l0 : file.target_l0,
                   file.notes};
}

void WarnOfSaes(const std::vector<LoadedSae>& saes,
                const std::function<void(const std::string&)>& warn) {
  for (const LoadedSae& sae : saes) {
    for (const std::string& note : sae.notes) warn(note);
  }
}

absl::StatusOr<std::vector<LoadedSae>> LoadSaes(const std::vector<SaeSection>& sections,
                                                const GemmaConfig& config, at::Device device) {
  std::vector<LoadedSae> saes;
  for (const SaeSection& section : sections) {
    FPO_ASSIGN_OR_RETURN(LoadedSae sae, LoadSae(section, config, device));
    saes.push_back(std::move(sae));
  }
  return saes;
}

absl::StatusOr<std::vector<LoadedSae>> HiddenPlaces(const std::vector<SaeSection>& sections,
                                                    const GemmaConfig& config) {
  std::vector<LoadedSae> places;
  for (const SaeSection& section : sections) {
    FPO_ASSIGN_OR_RETURN(const Site site, ParseSite(section.site));
    const int64_t layer = section.layer.value_or(-1);
    FPO_RETURN_IF_ERROR(CheckLayer(layer, ShapeOf(config)));
    places.push_back({SparseAutoencoder::Identity(SiteWidth(config, site)), Tap{layer, site},
                      "hidden", ToHex(Sha256Of("fpo-hidden-1")), std::nullopt});
  }
  return places;
}

absl::StatusOr<std::vector<LoadedSae>> LoadFeatureMaps(const JobConfig& job,
                                                       const GemmaConfig& config,
                                                       at::Device device) {
  if (job.method.features == "hidden") return HiddenPlaces(job.sae, config);
  return LoadSaes(job.sae, config, device);
}

}  // namespace fpo::train
