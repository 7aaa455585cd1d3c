/** The chain's commands as people and scripts run them, over a real node of a network of their own. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type {
  AccountView,
  BlockView,
  HeadView,
  ParametersView,
  TransactionView,
  ValidatorView,
} from '../../src/app/chain/chain-access.ts'
import { createLab, NETWORK, readyNode, startNode } from './chain-lab.ts'
import { createDllm, PROGRAM, plainEnvironment, type Started } from './dllm.ts'
import { labCommands } from './lab-commands.ts'

const dllm = createDllm()
const ON = ['--network', NETWORK]
const { run, json, text, password: PASSWORD } = labCommands(dllm)

let node: Started
let owner: string
let payout: string

beforeAll(async () => {
  await createLab(dllm, 1)
  const { accounts } = await json<{ accounts: { role: string; address: string }[] }>('wallet', 'show')
  const addressOf = (role: string) => accounts.find((account) => account.role === role)!.address
  owner = addressOf('owner')
  payout = addressOf('payout')
})
afterAll(() => dllm.cleanUp())

describe('without a node', () => {
  test('a command says how to start one, with code 3', async () => {
    const { code, stderr } = await run('chain', 'head')
    expect(code).toBe(3)
    expect(stderr).toMatch(/`dllm node --network lab`.*\(NO_NODE\)/)
  })

  test('the local network has no chain before it was started, and that is code 3 too', async () => {
    const { code, stderr } = await dllm.run(['chain', 'head', '--network', 'local'])
    expect(code).toBe(3)
    expect(stderr).toMatch(/`dllm devnet up`.*\(NETWORK_NO_CHAIN\)/)
  })
})

describe('with a node', () => {
  beforeAll(async () => {
    node = startNode(dllm, 'lab-1')
    const client = await readyNode(dllm, 'lab-1', node)
    client.close()
  })
  afterAll(async () => {
    node.child.kill('SIGTERM')
    await node.ended
  })

  test('money is sent, and both sides see it', async () => {
    const before = await json<AccountView>('wallet', 'balance', '--role', 'payout')
    const sent = await json<TransactionView>('wallet', 'send', '12.5', payout, '--memo', 'rent', ...PASSWORD)
    expect(sent).toMatchObject({ type: 'transfer', sender: owner, body: { to: payout, amount: '12500000000' } })
    const after = await json<AccountView>('wallet', 'balance', '--role', 'payout')
    expect(BigInt(after.balance) - BigInt(before.balance)).toBe(12_500_000_000n)
    expect(await text('wallet', 'balance', '--role', 'payout')).toContain('12.5 DLLM')

    const received = await text('wallet', 'history', '--role', 'payout')
    expect(received).toContain(`received 12.5 DLLM\n  from ${owner}\n  memo “rent”\n  id ${sent.id}\n`)
    const { transactions } = await json<{ transactions: TransactionView[] }>('wallet', 'history', '--limit', '1')
    expect(transactions).toEqual([sent])

    expect(await text('chain', 'tx', sent.id)).toContain(`Transaction  ${sent.id}\n`)
    expect(await json('chain', 'tx', sent.id)).toEqual(sent)
    const block = await json<BlockView>('chain', 'block', String(sent.height))
    expect(block.transactions).toEqual([sent])
    expect(await json('chain', 'block', block.hash)).toEqual(block)
    expect(await text('chain', 'block', String(sent.height))).toContain(`to ${payout}\n`)
  })

  test('the password may come through stdin, and waiting be left out', async () => {
    const args = ['wallet', 'send', '1', payout, '--no-wait', ...ON]
    const { code, stdout, stderr } = await dllm.run(args, 'correct horse battery\n')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^Transaction {2}[0-9a-f]{64}\n$/)
    expect(stderr).toContain(`Send 1 DLLM\n  to      ${payout}\n`)
  })

  test('a wrong password sends nothing, with code 4', async () => {
    const { code, stdout, stderr } = await dllm.run(['wallet', 'send', '1', payout, ...ON], 'wrong password\n')
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' })
    expect(stderr).toContain('(KEYSTORE_WRONG_PASSWORD)')
  })

  test('stake is bonded, listed and taken back', async () => {
    await text('stake', 'bond', '10', ...PASSWORD)
    const unbonded = await json<TransactionView>('stake', 'unbond', '4', ...PASSWORD)
    expect(unbonded).toMatchObject({ type: 'unbond', body: { validator: owner, amount: '4000000000' } })
    const listed = await text('stake', 'list')
    expect(listed).toMatch(/bonded to lab-1\n {2}ldllm1/)
    expect(listed).toContain(`4 DLLM unbonded, back in `)
    const { unbondings } = await json<AccountView>('stake', 'list')
    expect(unbondings).toMatchObject([{ validator: owner, amount: '4000000000' }])
  })

  test('a parameter is proposed and voted on', async () => {
    const made = await text('param', 'list')
    expect(made).toContain('No proposal is open.')
    await text('param', 'propose', 'commitMs=100', 'voteMs=400', ...PASSWORD)
    await text('param', 'vote', '0', 'yes', ...PASSWORD)
    expect(await text('param', 'list')).toMatch(
      /Proposal 0, until block \d+.*\n {2}voteMs = 400\n {2}commitMs = 100\n {2}yes {2}100 %/,
    )
    const { proposals, values } = await json<ParametersView>('chain', 'params')
    expect(proposals).toMatchObject([{ number: 0, votes: [{ voter: owner, yes: true }] }])
    expect(values.commitMs).toBe('500')
  })

  test('an account of the wallet becomes a validator, whose keys a node finds', async () => {
    const account = ['--account', '1', ...PASSWORD]
    const { address } = await json<AccountView>('wallet', 'balance', ...account)
    await text('wallet', 'send', '5', address, ...PASSWORD)
    const register = ['stake', 'register', '--node', 'second', '--name', 'Kitchen table', ...account]
    expect(await text(...register)).toContain('dllm node --name second --network lab\n')
    expect(existsSync(join(dllm.home, 'nodes', 'second', 'validator.key'))).toBe(true)
    const { validators } = await json<{ validators: ValidatorView[] }>('chain', 'validators')
    expect(validators.find(({ name }) => name === 'Kitchen table')).toMatchObject({ address, votes: false })
    expect(await text('chain', 'validators')).toContain(`  ${address}\n`)
    expect(await run(...register)).toMatchObject({ code: 1, stderr: expect.stringContaining('(VALIDATOR_KEY_IN_USE)') })
    const second = startNode(dllm, 'second', ['--listen', '/ip4/127.0.0.1/tcp/0'])
    await second.printed(/"type":"started"/)
    second.child.kill('SIGTERM')
    expect(await second.ended).toMatchObject({ code: 0 })
  })

  test('the head is shown, and watched line by line', async () => {
    const head = await json<HeadView>('chain', 'head')
    expect(head).toMatchObject({ name: NETWORK, kind: 'local', source: 'node', validators: 1 })
    expect(await text('chain', 'head')).toContain(`Id          ${head.networkId}\n`)
    const watching = dllm.start(['chain', 'head', '--watch', '--json', ...ON])
    await watching.printed(/\n.*\n.*\n/)
    watching.child.kill('SIGINT')
    const { code, stdout } = await watching.ended
    expect(code).toBe(130)
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as HeadView & { type: string })
    expect(lines.at(-1)).toMatchObject({ error: { code: 'INTERRUPTED' } })
    const heights = lines.slice(0, -1).map(({ height }) => height)
    expect(heights).toEqual(heights.toSorted((a, b) => a - b))
    expect(new Set(heights).size).toBe(heights.length)
  })

  test('an account nobody has used is empty, and says so without an error', async () => {
    expect(await json('chain', 'account', payout)).toMatchObject({ address: payout })
    const operator = await text('wallet', 'history', '--role', 'operator')
    expect(operator).toMatch(/^No transactions yet\..*\n {2}ldllm1\w{38}\n$/)
    expect(await text('stake', 'list', '--role', 'operator')).toContain('Nothing is bonded.')
  })

  test.each([
    ['more than there is', ['wallet', 'send', '99999999', 'PAYOUT'], 5, 'INSUFFICIENT_FUNDS'],
    ['an amount with ten decimals', ['wallet', 'send', '0.0000000001', 'PAYOUT'], 2, 'AMOUNT_TOO_PRECISE'],
    [
      'an address of another network',
      ['wallet', 'send', '1', 'dllm1nh99ljy9n8t3kr46r4phg3xhx5kgrdy0cwxkhr9'],
      2,
      'ADDRESS_',
    ],
    ['a fee below the base fee', ['wallet', 'send', '1', 'PAYOUT', '--max-fee', '0'], 1, 'FEE_BELOW_BASE'],
    ['an amount of nothing', ['wallet', 'send', '0', 'PAYOUT'], 1, 'ZERO_AMOUNT'],
    ['a height that is not there yet', ['chain', 'block', '99999999'], 1, 'CHAIN_BLOCK_UNKNOWN'],
    ['a block by a bad name', ['chain', 'block', 'latest'], 2, 'BLOCK_NAME_BAD'],
    ['a transaction that nobody knows', ['chain', 'tx', 'ab'.repeat(32)], 1, 'CHAIN_TRANSACTION_UNKNOWN'],
    ['an unknown parameter', ['param', 'propose', 'speed=1'], 2, 'PARAMETER_UNKNOWN'],
    ['a vote that is neither yes nor no', ['param', 'vote', '0', 'perhaps'], 2, 'USAGE'],
    ['a node name that is a path', ['stake', 'register', '--node', '../x', '--name', 'x'], 2, 'USAGE'],
  ] as const)('refused with a code and a sentence: %s', async (_case, args, code, name) => {
    const words = args.map((word) => word.replace('PAYOUT', payout))
    const needsPassword = ['wallet', 'param', 'stake'].includes(words[0]!) && !words.includes('--password-file')
    const { code: found, stdout, stderr } = await run(...words, ...(needsPassword ? PASSWORD : []))
    expect({ found, stdout }).toEqual({ found: code, stdout: '' })
    expect(stderr).toContain(`(${name}`)
    expect(stderr).not.toContain('    at ')
  })

  /** util-linux's, which gives a program a terminal. */
  const SCRIPT = 'script'
  const hasScript = process.platform === 'linux' && spawnSync(SCRIPT, ['--version']).status === 0

  test.skipIf(!hasScript).each([
    ['n', 1, 'SEND_DECLINED'],
    ['y', 0, 'In block'],
  ])('at a terminal a person is asked, and answers %s', async (answer, code, expected) => {
    const words = [process.execPath, PROGRAM, 'wallet', 'send', '1', payout, ...PASSWORD, ...ON, '--home', dllm.home]
    const child = spawn(SCRIPT, ['-qec', words.map((word) => `'${word}'`).join(' '), '/dev/null'], {
      env: { ...plainEnvironment(), TERM: 'xterm' },
    })
    let screen = ''
    let hasAnswered = false
    child.stdout.on('data', (chunk: Buffer) => {
      screen += chunk.toString()
      if (hasAnswered || !screen.includes('Send it? [y/N] ')) return
      hasAnswered = true
      child.stdin.write(`${answer}\r`)
    })
    const found = await new Promise((resolve) => child.on('close', resolve))
    expect(screen).toContain(`to      ${payout}`)
    expect(screen).toContain(expected)
    expect(found).toBe(code)
  })
})
