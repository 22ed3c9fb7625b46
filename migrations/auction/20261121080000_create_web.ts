export { default } from '../web/20261121080000_create_web';
