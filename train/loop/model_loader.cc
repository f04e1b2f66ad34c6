#include "train/loop/model_loader.h"

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files/posix_status.h"
#include "common/files/sae_fit.h"
#include "common/hash.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/formats/sae_files.h"
#include "train/formats/safetensors_directory.h"

namespace fpo::train {
namespace {

absl::Status About(const std::string& path, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat("model ", path, ": ", status.message()));
}

}  // namespace

absl::StatusOr<GemmaConfig> ReadModelConfig(const std::string& folder) {
  if (!std::filesystem::is_directory(folder)) {
    return absl::NotFoundError(
        absl::StrCat("model folder ", folder,
                     " does not exist; model.path is a Hugging Face folder with "
                     "config.json, *.safetensors and tokenizer.json or tokenizer.model"));
  }
  const auto text = ReadFile(folder + "/config.json");
  if (!text.ok()) {
    return absl::NotFoundError(
        absl::StrCat("model folder ", folder, " has no readable config.json (",
                     text.status().message(), "); it must be a Hugging Face folder"));
  }
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
  FPO_ASSIGN_OR_RETURN(const Digest weights, directory.KeptWeightsDigest());
  const Digest digest =
      Sha256Of(absl::StrCat("fpo-model-1\n", ConfigText(config), "\n", ToHex(weights)));
  return ModelIdentity{std::move(config), ToHex(digest)};
}

absl::StatusOr<LoadedModel> LoadModel(const ModelRequest& request) {
  FPO_ASSIGN_OR_RETURN(const at::ScalarType dtype, ParseDtype(request.dtype));
  FPO_ASSIGN_OR_RETURN(const ModelIdentity identity, IdentifyModel(request.path));
  FPO_ASSIGN_OR_RETURN(const SafetensorsDirectory directory,
                       SafetensorsDirectory::Open(request.path));
  TensorMap tensors;
  Work work(absl::StrCat("loading ", request.path), directory.Bytes(), "bytes");
  for (const std::string& name : directory.Names()) {
    FPO_ASSIGN_OR_RETURN(const at::Tensor stored, directory.Tensor(name));
    at::Tensor tensor = stored.is_floating_point()
                            ? stored.to(request.device, dtype, /*non_blocking=*/false,
                                        /*copy=*/request.trainable)
                            : stored;
    tensors.emplace(name, std::move(tensor));
    work.Advance(static_cast<int64_t>(stored.nbytes()));
  }
  auto model = Gemma::Create(identity.config, std::move(tensors));
  if (!model.ok()) return About(request.path, model.status());
  if (request.trainable) model->SetRequiresGrad(true);
  return LoadedModel{*std::move(model), request.path, identity.digest};
}

absl::StatusOr<LoadedSae> LoadSae(const SaeSection& section, const GemmaConfig& config,
                                  at::Device device) {
  FPO_ASSIGN_OR_RETURN(const SaeParameters file,
                       LoadSaeFile(section.path, section.layer, section.site));
  FPO_ASSIGN_OR_RETURN(const Site site, ParseSite(file.site));
  SaeDescription sae_place;
  sae_place.layer = file.layer;
  sae_place.site = file.site;
  sae_place.d_in = file.w_enc.size(0);
  FPO_RETURN_IF_ERROR(CheckSaeFits(section.path, sae_place, ShapeOf(config)));
  SaeTensors tensors{file.w_enc, file.b_enc, file.threshold,
                     file.w_dec, file.b_dec, file.apply_b_dec_to_input};
  FPO_ASSIGN_OR_RETURN(const SparseAutoencoder sae, SparseAutoencoder::Create(tensors));
  return LoadedSae{sae.To(device), Tap{file.layer, site}, section.path, ToHex(file.digest),
                   file.l0 ? file.l0 : file.target_l0};
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
