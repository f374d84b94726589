"Draw nbs/images/card.png, the picture that stands beside a link to the site: the lesson's network, forward and backward."
from pathlib import Path
import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

ink, paper, gold = '#14283c', '#ffffff', '#ffb454'
names, ops = ['x', 'l1', 'l2', 'out', 'loss'], ['lin', 'relu', 'lin', 'mse']
grads = ['out.g @ w.T', 'out.g * (inp > 0)', 'out.g @ w.T', '2 (inp − targ) / n']

def arrow(ax, start, end, colour, dashed=False):
    ax.add_patch(FancyArrowPatch(start, end, arrowstyle='-|>', mutation_scale=18, lw=2.5, color=colour,
                                 linestyle='--' if dashed else '-', shrinkA=0, shrinkB=0))

def main():
    plt.rcParams['font.family'] = 'DejaVu Sans'
    fig = plt.figure(figsize=(12, 6.3), dpi=100, facecolor=ink) # 1200 by 630 pixels, what networks ask for
    ax = fig.add_axes((0, 0, 1, 1), xlim=(0, 12), ylim=(0, 6.3))
    ax.axis('off')
    ax.text(.8, 5.15, 'fastgroundup', color=paper, size=46, weight='bold')
    ax.text(.8, 4.4, 'Write a layer once; read it four ways: run, checked, proved, seen', color='#c9d6e4', size=20)
    xs = [1.35 + 2.3*i for i in range(5)]
    for x,name in zip(xs, names):
        ax.add_patch(FancyBboxPatch((x - .45, 2.45), .9, .8, boxstyle='round,pad=0.05,rounding_size=.2', fc=paper, ec='none'))
        ax.text(x, 2.85, name, color=ink, size=20, ha='center', va='center', family='DejaVu Sans Mono')
    for a,b,op,grad in zip(xs, xs[1:], ops, grads):
        arrow(ax, (a + .55, 3.05), (b - .55, 3.05), paper)
        ax.text((a + b)/2, 3.25, op, color=paper, size=17, ha='center', family='DejaVu Sans Mono')
        arrow(ax, (b - .55, 2.65), (a + .55, 2.65), gold, dashed=True)
        ax.text((a + b)/2, 2.0, grad, color=gold, size=12, ha='center', family='DejaVu Sans Mono')
    ax.text(.8, .75, "Understand, write and trust a neural network's backward pass", color='#c9d6e4', size=17)
    path = Path(__file__).resolve().parent.parent/'nbs'/'images'/'card.png'
    fig.savefig(path, facecolor=ink, metadata={'Software': None})
    print(f'{path.stat().st_size/1000:.0f} KB in {path.name}')

if __name__ == '__main__': main()
