namespace Quire;

/// <content>The ledger's equations, checked.</content>
internal sealed unsafe partial class LedgerStore
{
    private const int VerifyAttempts = 25;
    private const int VerifyMostAttempts = 200;

    // 1 + 2 + ... + 69 ms between them: two and a half seconds.
    private const int VerifyBelieves = 70;

    /// <summary>
    /// Checks that every record is in exactly one place (a ring, the pool, or live), and that its fields make sense.
    /// Returns false if the ledger was too busy to say; call it again when it is quiet.
    /// </summary>
    /// <remarks>
    /// May run beside any use: the rings' ever-growing heads and tails tell whether anything passed through meanwhile. A thread that
    /// stands still between two steps of a take or a release looks like a fault, so a fault must show in many
    /// attempts in a row, ever longer apart, with nothing passing through from the first to the last, before it is believed. While
    /// anybody is at work, a thread kept from its core is no fault, however long it waits its turn.
    /// </remarks>
    /// <exception cref="InvalidOperationException">An equation does not hold; the message says which, and for what record.</exception>
    internal bool Verify()
    {
        int believed = 0;
        ulong last = 0;
        for (int busy = 0, attempts = 0; busy < VerifyAttempts && attempts < VerifyMostAttempts; attempts++)
        {
            ulong before = Passed();
            string? fault = FindFault();
            bool quiet = before == Passed();
            if (quiet && fault is null)
            {
                return true;
            }

            bool isStill = quiet && believed != 0 && before == last;
            busy += isStill ? 0 : 1;
            believed = isStill ? believed + 1 : quiet ? 1 : 0;
            last = before;
            if (believed == VerifyBelieves)
            {
                throw new InvalidOperationException($"The ledger is damaged: {fault}");
            }

            Thread.Sleep(Math.Max(busy, believed));
        }

        return false;
    }

    private ulong Passed()
    {
        ulong passed = _records.Carved;
        foreach (nint ring in _threads.Rings())
        {
            passed += (ulong)Atomic.LoadAcquire(ref ((LedgerRing*)ring)->Head) + Atomic.LoadAcquire(ref ((LedgerRing*)ring)->Tail);
        }

        return passed;
    }

    private string? FindFault()
    {
        uint carved = _records.Carved;
        bool[] free = new bool[carved];
        uint freeCount = 0;
        foreach (uint index in _records.CopyPool())
        {
            if (Free(index, "the pool") is { } fault)
            {
                return fault;
            }
        }

        foreach (nint address in _threads.Rings())
        {
            LedgerRing* ring = (LedgerRing*)address;
            uint tail = Atomic.LoadAcquire(ref ring->Tail);
            uint head = Atomic.LoadAcquire(ref ring->Head);
            if (tail - head > LedgerRing.Capacity)
            {
                return $"a ring holds {tail - head} records";
            }

            for (uint at = head; at != tail; at++)
            {
                if (Free(ring->Slots[at & LedgerRing.SlotMask], "a ring") is { } fault)
                {
                    return fault;
                }
            }
        }

        uint live = 0;
        for (uint index = 0; index < carved; index++)
        {
            LedgerRecord* record = _records.At(index);
            ulong state = Atomic.LoadAcquire(ref record->State);
            uint phase = LedgerState.Phase(state);
            uint sequence = LedgerState.Incarnation(state) & LedgerState.SequenceMask;
            if (sequence == 0 && LedgerState.Incarnation(state) != 0)
            {
                return $"record {index} has sequence 0";
            }

            if (!free[index])
            {
                if (phase != LedgerState.Live)
                {
                    return $"record {index} is nowhere, in phase {phase}";
                }

                live++;
                bool knownKind = (byte)record->Kind <= (byte)HolderKind.Raw && record->Kind >> WeightShift != 0;
                if (sequence == 0 || Origin.SiteNumber(record->TakenOrigin) > CallSiteTable.Last || !knownKind || record->TakenThread == 0)
                {
                    return $"record {index} is live with fields that nobody wrote";
                }
            }
        }

        return freeCount + live == carved ? null : $"{freeCount} free and {live} live are not {carved} records";

        string? Free(uint index, string where)
        {
            if (index >= carved)
            {
                return $"{where} holds record {index} of {carved}";
            }

            uint phase = LedgerState.Phase(Atomic.LoadAcquire(ref _records.At(index)->State));
            if (phase is not LedgerState.Free and not LedgerState.Freed)
            {
                return $"{where} holds record {index} in phase {phase}";
            }

            if (free[index])
            {
                return $"{where} holds record {index}, which is free elsewhere too";
            }

            free[index] = true;
            freeCount++;
            return null;
        }
    }
}
