// The demo's servers. tidegate.toml names the same ports.

export const ISSUER_PORT = 8700;
export const ISSUER = `http://127.0.0.1:${ISSUER_PORT}/`;

export const ORIGINS = [
  { region: "us", name: "us-1", port: 8711 },
  { region: "us", name: "us-2", port: 8712 },
  { region: "eu", name: "eu-1", port: 8721 },
  { region: "eu", name: "eu-2", port: 8722 },
  { region: "ap", name: "ap-1", port: 8731 },
  { region: "ap", name: "ap-2", port: 8732 },
];
