namespace Quire.Traces.Analysis;

/// <content>Which reference a put gives back, and how sure that is.</content>
internal sealed partial class RefSettlement
{
    // Structural references that would be left over if the put is not one of them: above 0 the page no longer shows as much as it has, so it was; below 0 it would have too few afterwards,
    // so it was not. Null where the page does not show what it has.
    private int? Surplus(in KernelPage page, in RefEntry entry, int references)
    {
        PageExpectation shown = _expectations.Of(entry.Look, entry.Mapcount, page.Order);
        if (!shown.IsKnown)
        {
            return null;
        }

        int structural = _before;
        foreach (OpenReference open in _open)
        {
            structural += open.IsStructural ? open.References : 0;
        }

        return structural - references - shown.Sum;
    }

    // The best candidate, -1 for those of unknown takers. References of one stack and task are one candidate: which of them goes makes no difference.
    private int Best(in OpenPut put, out double likelihood, out bool isAlone)
    {
        if (_scores.Length <= _open.Count)
        {
            _scores = new double[_open.Count * 2];
        }

        int best = -1;
        int first = _open.FindIndex(static open => !open.IsStructural);
        double top = _before > 0 ? _policy.OfUnknown(put, _before) : double.NegativeInfinity;
        double unknown = top;
        for (int i = 0; i < _open.Count; i++)
        {
            _scores[i] = _policy.Of(_open[i], put, isFirst: i == first, isLatest: i == _open.Count - 1);
            if (_scores[i] > top)
            {
                top = _scores[i];
                best = i;
            }
        }

        double sum = _before > 0 ? Math.Exp(unknown - top) : 0;
        double ofUnknown = sum;
        double mine = best < 0 ? sum : 0;
        int candidates = _before > 0 ? 1 : 0;
        for (int i = 0; i < _open.Count; i++)
        {
            if (!IsFirstOfKind(i))
            {
                continue;
            }

            candidates++;
            double weight = Math.Exp(ScoreOfKind(i) - top);
            sum += weight;
            mine += best >= 0 && IsSameKind(i, best) ? weight : 0;
        }

        likelihood = mine / sum;
        isAlone = candidates == 1;
        _beforeSurvival *= best >= 0 ? 1 - (ofUnknown / sum) : 1;
        for (int i = 0; i < _open.Count; i++)
        {
            if (i == best || (best >= 0 && IsSameKind(i, best)))
            {
                continue;
            }

            OpenReference open = _open[i];
            double doubt = Math.Exp(ScoreOfKind(i) - top) / sum;
            open.Survival *= 1 - doubt;
            if (doubt > open.Rival.Doubt)
            {
                open.Rival = best < 0
                    ? new Rival { References = _before, IsUnknown = true, Doubt = doubt }
                    : new Rival { Stack = _open[best].Stack, Pid = _open[best].Pid, References = _open[best].References, IsStructural = _open[best].IsStructural, Doubt = doubt };
            }

            _open[i] = open;
        }

        return best;
    }

    private bool IsSameKind(int one, int other) => _open[one].Stack == _open[other].Stack && _open[one].Pid == _open[other].Pid;

    private bool IsFirstOfKind(int at)
    {
        for (int i = 0; i < at; i++)
        {
            if (IsSameKind(i, at))
            {
                return false;
            }
        }

        return true;
    }

    private double ScoreOfKind(int at)
    {
        double score = _scores[at];
        for (int i = 0; i < _open.Count; i++)
        {
            score = IsSameKind(i, at) ? Math.Max(score, _scores[i]) : score;
        }

        return score;
    }

    // Of references of one kind it makes no difference which goes, so the doubt whether all of them are still held stays with those that are left.
    private void KeepDoubt(int going)
    {
        int surest = going;
        for (int i = 0; i < _open.Count; i++)
        {
            surest = _open[i].Survival > _open[surest].Survival && IsSameKind(i, going) ? i : surest;
        }

        if (surest != going)
        {
            OpenReference sure = _open[surest];
            OpenReference doubted = _open[going];
            (sure.Survival, sure.Rival, doubted.Survival, doubted.Rival) = (doubted.Survival, doubted.Rival, sure.Survival, sure.Rival);
            (_open[surest], _open[going]) = (sure, doubted);
        }
    }

    // It was still held, if no earlier put was its own. This put speaks for that as far as it fits it better than the one that was given the earlier put in its place: if both fit alike,
    // which of the two was held meanwhile stays open.
    private double StillHeld(in OpenReference open, in OpenPut put)
    {
        if (open.Survival >= 1 || open.Rival.References == 0)
        {
            return open.Survival;
        }

        double ofRival = open.Rival.IsUnknown ? _policy.OfUnknown(put, open.Rival.References) : _policy.Of(
            new OpenReference
            {
                Stack = open.Rival.Stack,
                Pid = open.Rival.Pid,
                References = open.Rival.References,
                Match = _meanings[open.Rival.Stack].Of(RefRole.Take, StackMeanings.IsPin(open.Rival.References)),
                IsStructural = open.Rival.IsStructural,
            },
            put,
            isFirst: false,
            isLatest: false);
        double held = open.Survival * Math.Exp(_policy.Of(open, put, isFirst: false, isLatest: false) - ofRival);
        return double.IsFinite(held) ? held / (held + 1 - open.Survival) : 1;
    }

    // Nobody else has anything to give back, but for the page's own.
    private bool IsOnlyTaken(int at)
    {
        for (int i = 0; i < _open.Count; i++)
        {
            if (!_open[i].IsStructural && !IsSameKind(i, at))
            {
                return false;
            }
        }

        return true;
    }

    // The mapping or content was gone before its reference: a batch held it.
    private static bool IsLate(bool isStructural, in OpenPut put) =>
        isStructural && (put.Match.Class.Name == ExitBatch || (put.IsOwed && !put.Match.Class.IsStructural && put.Match.Class.Name != StackMeanings.UnknownClass));
}
