import { BellwetherError } from '../core/errors';

/** The models of the application cannot be loaded, or none was found. */
export class ModelFilesError extends BellwetherError {
  override readonly code = 'E_MODEL_FILES';
  override readonly recovery = 'fix-the-setup';
}
